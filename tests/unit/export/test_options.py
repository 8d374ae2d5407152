"""What targets let their users choose: declared once, refused in one place."""

from __future__ import annotations

import sys
from dataclasses import FrozenInstanceError, dataclass, make_dataclass
from importlib.metadata import EntryPoint
from typing import Literal

import click
import pytest

import mobile_nelf.export.targets as targets
from mobile_nelf.cli import cli
from mobile_nelf.cli._target_options import target_options_of_all
from mobile_nelf.errors import ConfigError, InputError
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.export.options import SharedOptions, make_options, option, options_of
from mobile_nelf.export.tables import Table, TableRow


@dataclass(frozen=True)
class Options(SharedOptions):
    speed: int | None = option("How fast.", metavar="KMH")
    colours: tuple[Literal["red", "blue"], ...] = option("Which colours.", many=True)
    loud: bool = option("Be loud.", flag=True)


def test_fields_become_options():
    found = {declared.name: declared for declared in options_of(Options)}
    assert list(found) == ["layout", "activation", "speed", "colours", "loud"]
    assert found["layout"].words == ("factored", "rays", "camera", "embedded")
    assert (found["speed"].type, found["speed"].metavar) == (int, "KMH")
    assert (found["colours"].words, found["colours"].many) == (("red", "blue"), True)
    assert found["loud"].type is bool


def test_what_was_not_chosen_is_left_to_the_target():
    made = make_options("car", Options, {"speed": 3, "weights": (), "ios": None, "second": False})
    assert made == Options(speed=3)
    assert make_options("car", Options, {"speed": 0}) == Options(speed=0)
    with pytest.raises(FrozenInstanceError):
        made.speed = 4


def test_an_option_that_the_target_lacks_is_named_with_those_that_it_has():
    with pytest.raises(InputError) as caught:
        make_options("car", Options, {"ios": 17})
    assert caught.value.arguments == ("ios",)
    assert str(caught.value) == (
        "target car has no option ios; it has layout, activation, speed, colours, loud"
    )


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"speed": "fast"}, "target car.speed: expected int, found 'fast'"),
        ({"colours": ("red", "green")}, r"target car.colours\[1\]: expected one of .*'green'"),
        ({"loud": 1}, "target car.loud: expected bool"),
        ({"layout": "tiles"}, r"target car.layout: expected one of \['factored'.*'tiles'"),
    ],
)
def test_a_value_that_an_option_cannot_have_is_refused(chosen, words):
    with pytest.raises(ConfigError, match=words):
        make_options("car", Options, chosen)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ([("x", "int | None", None)], "option x has no help"),
        ([("x", "dict | None", option("A mapping."))], "option x is of type"),
    ],
)
def test_a_field_that_is_no_option_is_refused(fields, words):
    with pytest.raises(TypeError, match=words):
        options_of(make_dataclass("Broken", fields, frozen=True))


@pytest.mark.parametrize("target", targets.exporter_targets())
def test_the_options_read_for_the_help_are_those_of_the_exporter(target):
    assert targets.target_options(target) is find_exporter(target).options


def test_bundle_and_check_have_the_same_options_of_targets():
    declared = {
        found.name
        for target in targets.exporter_targets()
        for found in options_of(targets.target_options(target))
    }
    assert {"layout", "weights", "experience", "second_opinion"} <= declared
    for name in ("bundle", "check"):
        assert declared <= {param.name for param in cli.get_command(None, name).params}


@pytest.fixture
def install(monkeypatch):
    """Makes entry points of classes that stand in this file; the real ones are gone."""

    def put(**values):
        points = [EntryPoint(name, value, targets.GROUP) for name, value in values.items()]
        monkeypatch.setattr(targets, "entry_points", lambda group: points)

    monkeypatch.setitem(sys.modules, "garage", sys.modules[__name__])
    return put


class Car:
    options = Options


class Bus:
    options = make_dataclass(
        "Options", [("speed", "float | None", option("How fast.", metavar="MPH"))]
    )


class Tram:
    options = make_dataclass("Options", [("speed", "int | None", option("How fast, on rails."))])


def _command():
    @click.command
    @target_options_of_all
    def command(**chosen):
        click.echo(chosen)

    return command


def test_an_option_of_several_targets_is_one_option(install):
    install(car="garage:Car", tram="garage:Tram")
    params = {param.name: param for param in _command().params}
    assert list(params) == ["speed", "layout", "activation", "colours", "loud"]
    assert params["speed"].help == "How fast."
    assert params["loud"].help == "Be loud. For car."


def test_targets_that_disagree_about_an_option_are_named(install):
    install(car="garage:Car", bus="garage:Bus")
    with pytest.raises(InputError, match="targets bus and car have an option speed of different"):
        _command()


def test_a_target_that_cannot_be_imported_is_named(install):
    install(ship="no_such_package.exporter:Ship")
    with pytest.raises(
        InputError, match=r"'ship': no_such_package\.exporter:Ship cannot be import"
    ):
        targets.target_options("ship")


def test_two_targets_of_one_name_are_named(monkeypatch):
    points = [EntryPoint("car", value, targets.GROUP) for value in ("garage:Car", "garage:Bus")]
    monkeypatch.setattr(targets, "entry_points", lambda group: points)
    with pytest.raises(InputError, match="claimed by garage:Car and garage:Bus; uninstall one"):
        targets.exporter_point("car")


def test_rows_of_a_table_fit_its_columns():
    with pytest.raises(
        ValueError, match="a row of table 'T' has 1 cells, expected one for each of 2"
    ):
        Table("T", ("a", "b"), (TableRow(("x",)),))
