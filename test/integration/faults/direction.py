"""Who dials whom, for tests that hurt the link: set as a policy would, and waited for until both ends have kept it."""
import random

from world import V1, Failure, wait_until

SETTINGS = "[link]\nlisten_address = 127.0.0.1"  # of agent.ini
HEARTBEAT = "10s"


def change(world, direction):
    """Acknowledged by the manager, nothing more."""
    settings = {"link.direction": direction, "link.heartbeat_interval": HEARTBEAT}
    status, told = world.manager.once("PATCH", f"{V1}/computers/{world.agent.id}", {"settings": settings})
    if status != 200:
        raise Failure(f"link.direction={direction}: {status} {told}")


def kept(world, direction):
    """By both ends, and by their words the same."""
    link = (world.agent.ask("status") or {}).get("link", {})
    if link.get("direction") != direction or not link.get("proven"):
        return False
    computer = world.manager.get(f"/computers/{world.agent.id}")
    return computer["direction_in_force"] == direction and computer["config_state"] == "applied"


def wait_kept(world, direction):
    try:
        wait_until(f"both ends to keep {direction}", lambda: kept(world, direction))
    except Failure as failure:
        raise Failure(f"{failure}\nagent: {(world.agent.ask('status') or {}).get('link')}\n"
                      f"manager: {world.manager.get(f'/computers/{world.agent.id}')}") from failure


def dial_on_loopback(world):
    """An agent does not report addresses that nobody else could reach."""
    status, told = world.manager.once("PUT", f"{V1}/computers/{world.agent.id}/dial-address",
                                      {"dial_address": "127.0.0.1"})
    if status != 200:
        raise Failure(f"dial-address: {status} {told}")


def turn(world, direction):
    change(world, direction)
    wait_kept(world, direction)


def others_than(direction):
    every = ["bidirectional", "manager-initiated", "agent-initiated"]
    every.remove(direction)
    return every


def draw(chance: random.Random, before):
    return chance.choice(others_than(before))
