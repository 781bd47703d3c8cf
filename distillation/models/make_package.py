"""Puts a shared library into an archive as AOTInductor's packages have it: LIBRARY OUT."""

import sys
import zipfile

_MODEL = "package/data/aotinductor/model/made.wrapper"

library, out = sys.argv[1:]
with zipfile.ZipFile(out, "w") as archive:
    archive.writestr("package/archive_format", "pt2")
    archive.write(library, _MODEL + ".so")
    archive.writestr(_MODEL + ".cpp", "// The library was compiled from it.\n")
    archive.writestr(_MODEL + "_metadata.json", '{"AOTI_DEVICE_KEY": "cpu"}')
