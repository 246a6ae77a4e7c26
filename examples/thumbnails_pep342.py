"""PEP 342's thumbnail pager and JPEG writer (its examples 1 and 2), on real pictures, with Pillow (`pip install ".[examples]"`).

    python examples/thumbnails_pep342.py --page 800x600 --thumb 200x150 pages/ *.jpg

Each picture is sent to a consumer that puts thumbnails on a page; whenever a page is full it is sent on to a consumer that writes
page0001.jpg, page0002.jpg, ... To close the first flushes the last page and closes the second. No trampoline runs here: consumers are
driven by `send()` alone. The PEP's lines are below its imports; what it takes for granted, pages and sizes, is above them.
"""

import argparse
import os
import sys
from typing import NamedTuple

from PIL import Image, ImageOps

from trampoline import consumer


class Size(NamedTuple):
    x: int
    y: int

    def __truediv__(self, other):
        """Return how many rows and columns of that size fit."""
        return self.y // other.y, self.x // other.x

    @classmethod
    def parse(cls, text):
        size = cls(*map(int, text.split("x")))
        if size.x < 1 or size.y < 1:
            raise ValueError(text)
        return size


class Page:
    def __init__(self, size):
        self.picture = Image.new("RGB", size, "white")

    def write(self, thumb, x, y):
        self.picture.paste(thumb, (x, y))


def new_image(pagesize):
    return Page(pagesize)


def create_thumbnail(image, thumbsize):
    return ImageOps.pad(image.convert("RGB"), thumbsize, color="white")


def write_jpeg(page, filename):
    page.picture.save(filename, "JPEG")


# The PEP's lines, but for `xrange` and for `col`, which it calls `column` one line before.
@consumer
def thumbnail_pager(pagesize, thumbsize, destination):
    while True:
        page = new_image(pagesize)
        rows, columns = pagesize / thumbsize
        pending = False
        try:
            for row in range(rows):
                for col in range(columns):
                    thumb = create_thumbnail((yield), thumbsize)
                    page.write(thumb, col * thumbsize.x, row * thumbsize.y)
                    pending = True
        except GeneratorExit:
            # close() was called, so flush any pending output
            if pending:
                destination.send(page)

            # then close the downstream consumer, and exit
            destination.close()
            return
        else:
            # we finished a page full of thumbnails, so send it
            # downstream and keep on looping
            destination.send(page)


@consumer
def jpeg_writer(dirname):
    fileno = 1
    while True:
        filename = os.path.join(dirname, f"page{fileno:04d}.jpg")
        write_jpeg((yield), filename)
        fileno += 1


# Put them together to make a function that makes thumbnail
# pages from a list of images and other parameters.
#
def write_thumbnails(pagesize, thumbsize, images, output_dir):
    pipeline = thumbnail_pager(pagesize, thumbsize, jpeg_writer(output_dir))

    for image in images:
        pipeline.send(image)

    pipeline.close()


def opened(filenames):
    """Open one picture after the other, upright; say which cannot be read, and go on."""
    for filename in filenames:
        try:
            with Image.open(filename) as picture:
                upright = ImageOps.exif_transpose(picture)
        except OSError as error:
            print(f"{filename}: {error}", file=sys.stderr)
        else:
            yield upright


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Put thumbnails of pictures on pages.")
    parser.add_argument("--page", type=Size.parse, default="800x600", metavar="WxH", help="size of a page in pixels (%(default)s)")
    parser.add_argument("--thumb", type=Size.parse, default="200x150", metavar="WxH", help="size of a thumbnail (%(default)s)")
    parser.add_argument("output_dir")
    parser.add_argument("picture", nargs="+")
    told = parser.parse_args()
    if 0 in told.page / told.thumb:  # the PEP's pager would go round for ever, and never ask for a picture
        parser.error("a page must be at least as large as a thumbnail")
    os.makedirs(told.output_dir, exist_ok=True)
    write_thumbnails(told.page, told.thumb, opened(told.picture), told.output_dir)
