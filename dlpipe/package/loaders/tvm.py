"""How to call this encrypted model: python load_encrypted.py IDENTITY INPUTS OUTPUTS. These
are folders with 0.npy, 1.npy ...: one file for each input and output, samples stacked.

IDENTITY is the file with your age identity, or `-` where a key management system has the key. Needs the packages
cryptography and pyrage, and Linux. The model is decrypted into memory that the runner maps like a file (memfd): nothing
of it is written to a disk. What is on the disk is a link to it, by the name that the loader wants.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing may be added to a signed package
import sealed  # after that

here = pathlib.Path(__file__).resolve().parent
files = sealed.load(here)
memory, place = os.memfd_create("model.so"), os.environ.get("TMPDIR", "/tmp")  # noqa: S108 - for a link only
with open(memory, "wb") as file, tempfile.TemporaryDirectory(dir=place) as folder:  # noqa: PTH123 - of a descriptor
    file.write(files.pop("model.so"))
    file.flush()
    link = pathlib.Path(folder, "model.so")
    link.symlink_to(f"/proc/self/fd/{memory}")
    done = subprocess.run([here / "runner", link, *sys.argv[2:]], pass_fds=[memory], check=False)
sys.exit(done.returncode)
