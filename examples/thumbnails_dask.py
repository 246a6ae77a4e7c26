"""PEP 342's thumbnail pages, with the resizing on a Dask cluster (`pip install ".[dask,examples]"`).

    python examples/thumbnails_dask.py --page 800x600 --thumb 200x150 --workers 4 pages/ *.jpg

The pages, and the JPEG writer, are the consumers of thumbnails_pep342.py. What they are sent are thumbnails that the cluster's workers have
made from the files, in the order of the files, with at most so many under way. When a worker dies its work is done again by another, by
Dask; each thumbnail arrives once all the same, for each is one call, and one result. The cluster here is a local one: with another give
`Client()` its address, and see to it that the workers have these two files (`client.upload_file()`) and read the same pictures.
"""

import argparse
import os
import sys
from functools import partial

from PIL import Image, ImageOps
from thumbnails_pep342 import Size, jpeg_writer, new_image

from trampoline import Trampoline, consumer, map_in


def create_thumbnail(filename, thumbsize):
    """Be called on a worker."""
    with Image.open(filename) as picture:
        return ImageOps.pad(ImageOps.exif_transpose(picture).convert("RGB"), thumbsize, color="white")


@consumer
def thumbnail_pager(pagesize, thumbsize, destination):
    """Be the PEP's pager, for thumbnails that are made already."""
    while True:
        page = new_image(pagesize)
        rows, columns = pagesize / thumbsize
        pending = False
        try:
            for row in range(rows):
                for column in range(columns):
                    page.write((yield), column * thumbsize.x, row * thumbsize.y)
                    pending = True
        except GeneratorExit:
            if pending:
                destination.send(page)
            destination.close()
            return
        destination.send(page)


def write_thumbnails(client, pagesize, thumbsize, filenames, output_dir, limit, thumbnail=create_thumbnail):
    """Be a coroutine that returns how many thumbnails it wrote; what is no picture is said and left out."""
    pipeline = thumbnail_pager(pagesize, thumbsize, jpeg_writer(output_dir))
    written = 0
    with map_in(client, partial(thumbnail, thumbsize=thumbsize), filenames, limit) as results:
        for filename, result in zip(filenames, results, strict=True):
            try:
                thumb = yield result
            except OSError as error:
                print(f"{filename}: {error}", file=sys.stderr)
            else:
                pipeline.send(thumb)
                written += 1
    pipeline.close()
    return written


def main():
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(description="Put thumbnails of pictures on pages, made on a Dask cluster.")
    parser.add_argument("--page", type=Size.parse, default="800x600", metavar="WxH", help="size of a page in pixels (%(default)s)")
    parser.add_argument("--thumb", type=Size.parse, default="200x150", metavar="WxH", help="size of a thumbnail (%(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of the cluster (%(default)s)")
    parser.add_argument("output_dir")
    parser.add_argument("picture", nargs="+")
    told = parser.parse_args()
    if 0 in told.page / told.thumb:
        parser.error("a page must be at least as large as a thumbnail")
    os.makedirs(told.output_dir, exist_ok=True)
    with (
        LocalCluster(n_workers=told.workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        Trampoline() as t,
    ):
        t.add(write_thumbnails(client, told.page, told.thumb, told.picture, told.output_dir, 4 * told.workers))
        print(f"{t.run()} thumbnails")


if __name__ == "__main__":
    main()
