import re
import types

import hubserve


def test_the_listed_names_are_sorted_and_are_the_public_ones():
    public = {
        name
        for name, value in vars(hubserve).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "TYPE_CHECKING"
    }
    # Loaded when they are asked for.
    on_demand = {"AsyncBatcher", "AsyncClient", "to_pandas"}

    assert hubserve.__all__ == sorted(hubserve.__all__, key=lambda name: (not name.isupper(), name))
    assert set(hubserve.__all__) == public | on_demand | {"__version__"}
    assert all(callable(getattr(hubserve, name)) for name in on_demand)
    assert dir(hubserve) == sorted(hubserve.__all__)


ERRORS = {
    name: value for name, value in vars(hubserve).items() if isinstance(value, type) and issubclass(value, Exception)
}


def test_every_error_belongs_to_the_one_tree():
    assert len(ERRORS) > 1
    assert all(issubclass(error, hubserve.HubserveError) for error in ERRORS.values())


def test_the_tree_drawn_at_the_top_of_the_errors_is_the_tree():
    tree = re.findall(r"^([ │├└─]*)([A-Z]\w+)(?:  .*)?$", hubserve._errors.__doc__, re.MULTILINE)
    depth = {name: len(edge.strip(" ")) and edge.index("─") for edge, name in tree}
    branch: list[str] = []
    for name, column in depth.items():
        while branch and depth[branch[-1]] >= column:
            branch.pop()
        if branch:
            assert ERRORS[name].__base__ is ERRORS[branch[-1]] or ERRORS[branch[-1]] in ERRORS[name].__bases__
        branch.append(name)

    assert set(depth) == set(ERRORS)
