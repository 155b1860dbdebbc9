"""The asyncio face and the synchronous one have the same names with the same parameters, but for what is listed here."""

import inspect

import pytest
import sealwire
from sealwire import sync

# What only one face has, and why.
ONLY_ASYNCIO = {
    "Conversation": {"aclose"},  # the synchronous names are close, as of generators
    "Replies": {"aclose"},
    "Results": {"aclose"},
}
ONLY_SYNC = {
    "Conversation": {"close"},
    "Node": {"serve", "serve_in_background"},  # in asyncio the event loop runs handlers
    "Replies": {"close"},
    "Request": {"wait_cancelled"},  # an asyncio handler is cancelled itself
    "Results": {"close"},
}
OTHER_PARAMETERS = {
    ("Peer", "wait_closed"): ["timeout"],  # in asyncio every wait is given an end by asyncio.wait_for
    ("Topic", "wait_closed"): ["timeout"],
}


def public(cls):
    return {name for name in dir(cls) if not name.startswith("_")}


def parameters(function):
    return [(one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values() if one.name != "self"]


def is_async(function):
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def waits(cls):
    """Whether something of it waits: then it cannot be the same in both faces."""
    return hasattr(cls, "__aiter__") or hasattr(cls, "__aenter__") or any(is_async(getattr(cls, name)) for name in public(cls))


def test_every_class_that_waits_has_its_synchronous_twin():
    classes = {name: getattr(sealwire, name) for name in sealwire.__all__ if inspect.isclass(getattr(sealwire, name))}
    assert {name for name, cls in classes.items() if waits(cls)} <= set(sync.__all__)
    assert set(sync.__all__) <= set(classes)
    assert not any(waits(getattr(sync, name)) for name in sync.__all__)


@pytest.mark.parametrize("name", sync.__all__)
def test_both_faces_have_the_same_names(name):
    asyncio_face, sync_face = public(getattr(sealwire, name)), public(getattr(sync, name))
    assert asyncio_face - sync_face == ONLY_ASYNCIO.get(name, set())
    assert sync_face - asyncio_face == ONLY_SYNC.get(name, set())


@pytest.mark.parametrize("name", sync.__all__)
def test_both_faces_have_the_same_parameters(name):
    ours, theirs = getattr(sealwire, name), getattr(sync, name)
    if name in ("File", "Node", "Stream"):  # the others are made by the package
        assert parameters(ours) == parameters(theirs)
    for method in sorted(public(ours) & public(theirs)):
        one, other = getattr(ours, method), getattr(theirs, method)
        if inspect.isfunction(one) or inspect.ismethod(one):
            more = OTHER_PARAMETERS.get((name, method), [])
            assert parameters(one) == [each for each in parameters(other) if each[0] not in more], method
            assert [each[0] for each in parameters(other) if each[0] in more] == more, method
        else:
            assert callable(one) == callable(other), method
