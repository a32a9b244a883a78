"""Holes planted into the program, each of which the guard must catch.

Called in the child before the guard is on: each puts a careless reader in place of ours.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import socket
import subprocess
import sys
import zipfile


def _in_place(reader):
    """Let every reader of npz do this first with the file."""
    from sketchrnn_cli.sketches.formats import archive

    ours = archive.open_zip

    def careless(source):
        reader(source)
        return ours(source)

    archive.open_zip = careless


def _pickled(source):
    """The pickle of the first member."""
    with zipfile.ZipFile(source) as archive:
        data = archive.read(archive.namelist()[0])
    return data[10 + int.from_bytes(data[8:10], "little") :]


def nothing():
    _in_place(lambda source: None)


def unpickles():
    _in_place(lambda source: pickle.loads(_pickled(source)))


def unpickles_in_python():
    _in_place(lambda source: pickle._loads(_pickled(source)))


def unpickles_by_numpy():
    def reader(source):
        import numpy as np

        np.load(source, allow_pickle=True)["train"]  # the hole itself, run only under the guard

    _in_place(reader)


def unpickles_and_forgives():
    def reader(source):
        with contextlib.suppress(BaseException):
            pickle.loads(_pickled(source))

    _in_place(reader)


def evaluates():
    _in_place(lambda source: eval("1 + 1"))


def executes():
    _in_place(lambda source: exec("a = 1"))


def compiles():
    _in_place(lambda source: compile("a = 1", "settings.py", "exec"))


def runs_a_file():
    def reader(source):
        import runpy

        runpy.run_path(source)

    _in_place(reader)


def imports_a_neighbour():
    def reader(source):
        sys.path.insert(0, os.path.dirname(source))
        importlib.import_module("neighbour")

    _in_place(reader)


def imports_the_tests():
    _in_place(lambda source: importlib.import_module("pytest"))


def writes_elsewhere():
    def reader(source):
        with open(source + ".cache", "wb"):
            pass

    _in_place(reader)


def writes_elsewhere_by_number():
    _in_place(lambda source: os.open(source + ".cache", os.O_CREAT | os.O_RDWR))


def writes_by_a_way_out():
    def reader(source):
        with open(os.path.join("out", "..", "above"), "w"):
            pass

    _in_place(reader)


def extracts():
    def reader(source):
        with zipfile.ZipFile(source) as archive:
            archive.extractall(os.path.dirname(source))

    _in_place(reader)


def removes():
    _in_place(os.remove)


def renames():
    _in_place(lambda source: os.rename(source, os.path.join("out", "x")))


def makes_a_folder():
    _in_place(lambda source: os.mkdir(source + ".d"))


def links():
    _in_place(lambda source: os.symlink("/etc", source + ".link"))


def connects():
    _in_place(lambda source: socket.socket())


def looks_up():
    _in_place(lambda source: socket.getaddrinfo("localhost", 80))


def starts_a_program():
    _in_place(lambda source: subprocess.run(["true"], check=False))


def asks_the_shell():
    _in_place(lambda source: os.system("true"))


def forks():
    _in_place(lambda source: os.fork() or os._exit(0))


def becomes_a_program():
    _in_place(lambda source: os.execv("/bin/true", ["true"]))


def loads_a_library():
    def reader(source):
        import ctypes

        ctypes.CDLL(None).getpid()

    _in_place(reader)


def takes_memory():
    _in_place(lambda source: bytearray(b"x") * 600_000_000)


def leaves_a_part():
    def reader(source):
        with open(os.path.join("out", ".x.npz.part"), "wb"):
            pass

    _in_place(reader)


def breaks():
    def reader(source):
        raise KeyError("train")

    _in_place(reader)
