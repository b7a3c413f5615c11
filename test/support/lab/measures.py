"""What every benchmark reports: a table for people, a JSON file for machines, on request a section
of the document."""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import sys

ROOT = pathlib.Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "benchmarks.md"


class Report:
    """The measures of one benchmark: what was promised and not measured is a failure."""

    def __init__(self, bench, promised):
        self.bench = bench
        self.promised = promised  # name -> (unit, what must hold, in words)
        self.measures = {}
        parser = argparse.ArgumentParser(prog=f"./run bench {bench}")
        parser.add_argument(
            "--document",
            action="store_true",
            help="put the figures into docs/benchmarks.md as well",
        )
        self.arguments = parser.parse_args()

    def add(self, name, value, met, raw, **details):
        """`met`: whether what must hold does; `raw`: the list of the readings that the value was
        made from, in its unit; `details`: what else explains it."""
        unit, must = self.promised[name]
        self.measures[name] = {
            "name": name,
            "value": round(value, 4),
            "unit": unit,
            "must": must,
            "met": bool(met),
            "raw": list(raw),
            **({"details": details} if details else {}),
        }
        self.print_line(self.measures[name])

    @contextlib.contextmanager
    def part(self, what):
        """A part of the benchmark; if it fails, in whatever way, the others are still measured."""
        print(f"-- {what}", flush=True)
        try:
            yield
        except Exception as error:
            print(f"   could not be measured: {type(error).__name__}: {error}", flush=True)

    def finish(self):
        """Write and print everything; returns the exit status."""
        for name, (unit, must) in self.promised.items():
            self.measures.setdefault(
                name,
                {"name": name, "value": None, "unit": unit, "must": must, "met": False, "raw": []},
            )
        result = {
            "bench": self.bench,
            "date": datetime.date.today().isoformat(),
            "command": f"./run bench {self.bench}",
            "machine": machine(),
            "measures": [self.measures[name] for name in self.promised],
        }
        path = ROOT / "build" / "bench" / f"{self.bench}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print()
        for measure in result["measures"]:
            self.print_line(measure)
        print(f"\n{path.relative_to(ROOT)}")
        if self.arguments.document:
            self.document(result)
        return 0 if all(measure["met"] for measure in result["measures"]) else 1

    @staticmethod
    def print_line(measure):
        print(
            f"  {measure['name']:<32} {_shown(measure):>14}   must be {measure['must']:<26} "
            f"{'met' if measure['met'] else 'NOT MET'}",
            flush=True,
        )

    def document(self, result):
        """Replace this benchmark's section of the document, between its two marks."""
        lines = [
            f"`{result['command']}`, {result['date']}, {result['machine']}",
            "",
            "| measure | value | must be | |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| `{measure['name']}` | {_shown(measure)} | {measure['must']} | "
            f"{'met' if measure['met'] else '**not met**'} |"
            for measure in result["measures"]
        ]
        section = "\n".join(lines)
        begin, end = f"<!-- begin {self.bench} -->", f"<!-- end {self.bench} -->"
        text = DOCUMENT.read_text(encoding="utf-8")
        if begin not in text:
            raise RuntimeError(f"{DOCUMENT} has no section {begin}")
        text = re.sub(
            f"{begin}.*?{end}", lambda _: f"{begin}\n{section}\n{end}", text, flags=re.DOTALL
        )
        DOCUMENT.write_text(text, encoding="utf-8")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next(
            (line.split(":")[1].strip() for line in file if line.startswith("model name")),
            "unknown CPU",
        )
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(next(line.split()[1] for line in file if line.startswith("MemTotal:"))) / (
            1 << 20
        )
    return f"{os.cpu_count()} × {model}, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


def percentile(values, share):
    """The smallest reading that at least this share of the readings does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def run(bench, promised, body):
    """A benchmark program: `body(report)`, then the report."""
    report = Report(bench, promised)
    body(report)
    sys.exit(report.finish())


def _shown(measure):
    if measure["value"] is None:
        return "not measured"
    return f"{measure['value']:g} {measure['unit']}".rstrip()
