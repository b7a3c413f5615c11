"""Programs that the lab runs: each dies with the lab, also when the lab is killed, and is ended by
its own process."""

import contextlib
import os
import signal
import subprocess
import time

from lab.eventually import eventually


class Process:
    """A program, in `netns` and as `uid` where given, its output in the file `log`.

    To be made on a thread that lives as long as the lab (the main one): the kernel ends the child
    when the thread that started it ends."""

    def __init__(self, name, argv, log, netns=None, uid=None, env=None):
        self.name = name
        self.log = log
        wrapper, program, held = ["setpriv", "--pdeathsig", "KILL"], argv[0], ()
        if uid is not None:
            wrapper += ["--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
            # By descriptor, so that the user needs no right to the folders above the program.
            held = (os.open(program, os.O_RDONLY),)
            program = f"/proc/self/fd/{held[0]}"
        with open(log, "ab") as output, netns.entered() if netns else contextlib.nullcontext():
            self._child = subprocess.Popen(
                [*wrapper, "--", program, *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=held,
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )
        for descriptor in held:
            os.close(descriptor)

    @property
    def pid(self):
        return self._child.pid

    def running(self):
        return self._child.poll() is None

    def until(self, condition, seconds, what):
        """Wait for the condition; fail at once, with the end of the log, if the program ends."""

        def check():
            if not self.running():
                raise RuntimeError(
                    f"{self.name} ended with status {self._child.returncode}: {self.tail()}"
                )
            return condition()

        try:
            return eventually(check, seconds, f"{self.name}: {what}")
        except AssertionError as error:
            raise AssertionError(f"{error}; its log ends: {self.tail()}") from error

    def wait(self, seconds):
        """Wait for it to end by itself, and return its status."""
        return self._child.wait(seconds)

    def signal(self, number):
        if self.running():
            self._child.send_signal(number)

    def stop(self, seconds=5.0):
        """Ask it to end; after `seconds`, end it. Returns its status."""
        self.signal(signal.SIGTERM)
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self):
        """kill -9."""
        self.signal(signal.SIGKILL)
        return self._child.wait()

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def tail(self, lines=15):
        return "\n  ".join(["", *self.output().splitlines()[-lines:]])

    def rss_bytes(self, peak=False):
        field = "VmHWM:" if peak else "VmRSS:"
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stop_all(processes, seconds=3.0):
    """End several at once: ask all, then wait for all."""
    for process in processes:
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for process in processes:
        process.stop(max(0.05, deadline - time.monotonic()))
