// Run the suite in Pyodide: node pyodide.mjs FOLDER_OF_PYODIDE FOLDER_OF_WHEELS FOLDER_OF_TESTS [pytest's arguments]
// A platform without threads, processes, signals and a network: tests/conftest.py says which tests that leaves out.
// It takes a node that switches stacks (JSPI, node 25 and later): asyncio.run() waits for what node does only so.
import { readdirSync, readFileSync } from "node:fs"
import { pathToFileURL } from "node:url"

const [pyodideFolder, wheels, away, ...args] = process.argv.slice(2)
const { loadPyodide } = await import(pathToFileURL(`${pyodideFolder}/pyodide.mjs`))
const pyodide = await loadPyodide({
  env: { HOME: "/home/pyodide", PYTHONUNBUFFERED: "1", TRAMPOLINE_TEST_CORES: "python", TRAMPOLINE_TEST_DEPTH: "50000", PYTHONDONTWRITEBYTECODE: "1" },
})
const extractDir = pyodide.runPython("import site; site.getsitepackages()[0]")
for (const name of readdirSync(wheels)) pyodide.unpackArchive(new Uint8Array(readFileSync(`${wheels}/${name}`)), "zip", { extractDir })
pyodide.FS.mkdir("/away")
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: away }, "/away")
pyodide.globals.set("args", pyodide.toPy(args))
let status = 1
try {
  const main = pyodide.runPython(`
import os, platform, sys
os.chdir("/away")
sys.path.insert(0, "/away")
import pytest
print("Pyodide", "${pyodide.version}", "Python", platform.python_version(), flush=True)
lambda: int(pytest.main(["-q", "-p", "no:cacheprovider", "--timeout", "0", *args]))
`)
  status = await main.callPromising()
} catch (error) {
  console.log(String(error.message).slice(0, 3000)) // not what node prints: the whole of Pyodide
}
process.exit(status)
