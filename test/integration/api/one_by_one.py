"""Tests one after the other, on a world that has a manager: each leaves it usable for the next."""
import sys
import traceback


def tests_in(names, parameter):
    """The functions of a program or module, given its globals() or vars(), whose only parameter is called so: its
    tests, in their order."""
    functions = [value for value in list(names.values()) if callable(value) and getattr(value, "__code__", None)
                 and value.__module__ == names["__name__"]]
    return [each for each in functions if each.__code__.co_varnames[:each.__code__.co_argcount] == (parameter,)]


def passes(test, *arguments):
    """Runs one and says how it went."""
    print(f"[ RUN      ] {test.__name__}", flush=True)
    try:
        test(*arguments)
    except Exception:  # a test may fail by anything
        traceback.print_exc(file=sys.stdout)
        print(f"[  FAILED  ] {test.__name__}", flush=True)
        return False
    print(f"[       OK ] {test.__name__}", flush=True)
    return True


def one_by_one(tests, world, words, failed=lambda: None):
    """The exit status. Those that the command line names behind its first `words` words, or all; failed() is called
    after one that failed. At the end world.close()."""
    chosen = [test for test in tests if not sys.argv[words:] or test.__name__ in sys.argv[words:]]
    bad = []
    try:
        for test in chosen:
            if not passes(test, world):
                bad.append(test.__name__)
                failed()
        if bad:
            sys.stdout.write("".join(world.manager.lines[-40:]))
    finally:
        world.close()
    print(f"[  PASSED  ] {len(chosen) - len(bad)} test(s).")
    if bad:
        print(f"[  FAILED  ] {len(bad)} test(s), alone: {' '.join(sys.argv[:words] + bad)}")
    return 1 if bad else 0
