"""New computers of a site, for agents that are installed as people install them: packages, the line, and root.

A program of tests ends with installing().
"""
import os

from installation import HERE, Site, main, program, run, wait_until

site = Site()
computers = []  # that were made, to be stopped at the end
PACKAGE = os.path.normpath(os.path.join(HERE, "../../../scripts/package-agent"))


def bins():
    directories = {os.path.dirname(program(name)) for name in ("muster-agent", "muster-agent-scan")}
    return [word for directory in sorted(directories) for word in ("--bin", directory)]


def make_package(version="1.0-test", output=None):
    run([PACKAGE, *bins(), "--output", output or os.path.join(site.manager.data, "packages"), "--version", version],
        timeout=300).expect(0, version)


class Computer:
    """A private root directory: where programs, data and temporary files of one new computer go."""

    def __init__(self, name, **more):
        self.name = name
        self.root = site.path("computers", name)
        os.makedirs(os.path.join(self.root, "tmp"))
        self.env = {"MUSTER_PREFIX": os.path.join(self.root, "opt"), "MUSTER_DATA": os.path.join(self.root, "data"),
                    "MUSTER_BIN": os.path.join(self.root, "bin"), "MUSTER_NAME": name, "MUSTER_SERVICE": "plain",
                    "TMPDIR": os.path.join(self.root, "tmp"), "HOME": self.root, "MUSTER_JITTER": "0",
                    "MUSTER_REPORT": "1", **more}
        computers.append(self)

    def paste(self, line, shell="sh", **env):
        """What stands in `line` comes to the shell as if it were typed."""
        ended = run([shell], env={**self.env, **env}, stdin=line.encode() + b"\n", timeout=300)
        left = os.listdir(self.env["TMPDIR"])
        assert not left, f"left behind: {left}: {ended}"
        return ended

    def agent(self, *words):
        return run([os.path.join(self.env["MUSTER_PREFIX"], "current/bin/muster-agent"), *words, "--data",
                    self.env["MUSTER_DATA"]])

    def installed(self):
        return os.path.exists(os.path.join(self.env["MUSTER_PREFIX"], "current"))

    def status(self):
        return self.agent("status", "-o", "json").expect(0).json

    def version(self):
        with open(os.path.join(self.env["MUSTER_PREFIX"], "current/sha256")) as file:
            return file.read()

    def stop(self, *password):
        if self.installed() and self.agent("status").code == 0:
            self.agent("stop", *password)
            wait_until("the agent's end", lambda: self.agent("status").code != 0)


def line(*words):
    return site.muster("deployment", "script", *words).expect(0).out


def installing(tests, begin=lambda: None, end=lambda: None, password=()):
    """The tests on a site with a manager, on which begin() was called; the exit status. password: words with which
    agents may be stopped."""
    if os.geteuid() != 0:
        print("installing needs root")
        return 77
    os.environ["MUSTER_PACKAGE_LEVEL"] = "1"
    with site:
        site.add_manager()
        begin()
        code = main(tests)
        end()
        for each in computers:
            each.stop(*password)
    return code
