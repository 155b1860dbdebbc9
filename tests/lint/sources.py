"""The files of the repository as the checks see them."""

import pathlib
import subprocess

CODE = {".h", ".hpp", ".c", ".cpp", ".py", ".pyi", ".ts", ".mts", ".cts", ".mjs", ".cjs", ".js", ".sh"}
C_FAMILY = {".h", ".hpp", ".c", ".cpp"}


class Tree:
    """Paths are relative to the root and in posix form; third parties' files (packagefiles, vectors) are left out."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=self.root,
                                stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        self.paths = sorted(p for p in set(listed) if (self.root / p).is_file() and not self._foreign(p))
        if len(self.paths) < 20:
            raise RuntimeError(f"only {len(self.paths)} files found in {root}: the checks would check nothing")

    @staticmethod
    def _foreign(path):
        return path.startswith(("subprojects/packagefiles/", "tests/vectors/", "tests/fuzz/corpus/"))

    def read(self, path):
        return (self.root / path).read_text(errors="replace")

    def text_files(self):
        for path in self.paths:
            if b"\0" not in (self.root / path).read_bytes()[:4096]:
                yield path

    def code(self, *folders, suffixes=CODE):
        for path in self.paths:
            if pathlib.PurePosixPath(path).suffix in suffixes and (not folders or path.startswith(folders)):
                yield path
