"""Plain text for people: aligned tables and progress lines."""

import sys
import time


def table(header, rows, right=()):
    """Lines of an aligned table; columns whose index is in `right` are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]

    def line(row):
        aligned = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  " + "  ".join(aligned).rstrip()

    return "\n".join(
        [line(cells[0]), "  " + "  ".join("─" * width for width in widths), *map(line, cells[1:])]
    )


class Progress:
    """One line a step: what is being done, and, when it is done, how long it took."""

    def __init__(self, out=sys.stdout):
        self.out = out
        self.begun = time.monotonic()
        self.step = None

    def __call__(self, step):
        self.done()
        self.step, self.since = step, time.monotonic()
        if self.out.isatty():
            self.out.write(f"  · {step} …")
            self.out.flush()

    def done(self):
        if self.step is not None:
            taken = f"{time.monotonic() - self.since:.1f} s"
            self.out.write(
                ("\r" if self.out.isatty() else "")
                + f"  ✓ {self.step}".ljust(66)
                + f" {taken:>8}\n"
            )
            self.out.flush()
            self.step = None


def megabytes(count):
    return f"{count / 1e6:.1f} MB"
