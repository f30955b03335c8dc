"""The generator on the whole of the schema language: small schemas, compiled, loaded and used."""

from __future__ import annotations

import enum
import struct
from typing import Any

import msgspec
import pytest
from bare.module import generate
from bare.schema import SchemaError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rivet_runner.errors import DecodeError
from tests.protocol.messages import Messages, decode, encode, model_of, module_of
from tests.support.examples import examples

EVERYTHING = """
# Everything that the language has.
type Everything struct {
    a: uint b: int
    c: u8 d: u16 e: u32 f: u64
    g: i8 h: i16 i: i32 j: i64
    k: f32 l: f64 m: bool n: str
    o: data p: data[3]
    q: optional<uint> r: list<int> s: list<i16>[3]
    t: map<str><list<optional<data>>>
    u: map<Color><map<i8><bool>>
    v: Choice w: Point x: Color y: Big z: optional<Point>
    anonymous: struct { from: u8 inner: enum { A B } }
    either: union { u8 | str | void | list<u8> | data[2] | Choice | Point | union { Point | bool } }
    sparse: Sparse
    many: list<Point>
    text: Text
    tree: Tree
    wide: Wide
}
type Text str
type Point struct { x: i32 y: f64 on: bool at: Color }
type Color enum { RED GREEN = 5 BLUE }
type Big enum { SMALL LARGE = 300 LARGEST = 18446744073709551615 }
type Choice union { Nothing | Point | Text | Numbers | Color }
type Nothing void
type Numbers list<u16>
type Sparse union { Point = 3 | Nothing = 200 | Color = 18446744073709551615 }
type Tree struct { value: uint children: list<Tree> next: optional<Tree> }
type Wide struct { a: list<Row>[2] b: Row }
type Row struct { a: Four b: Four c: Four d: Four e: Four f: Four g: Four h: Four i: Four }
type Four struct { a: u8 b: u16 c: u32 d: u64 }
type Forest list<Forest>
"""
MODEL = model_of(EVERYTHING)
MODULE = module_of(EVERYTHING)
MESSAGES = Messages(MODEL, MODULE, most_items=2)


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.parametrize("root", ["Everything", "Forest"])
def test_every_kind_of_type_survives_a_round_trip(root: str, data: st.DataObject) -> None:
    message = data.draw(MESSAGES.of(root))
    encoded = encode(MODULE, root, message)
    assert decode(MODULE, root, encoded) == message
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DecodeError):
        decode(MODULE, root, encoded[:cut])


@settings(deadline=None)
@given(encoded=st.binary(max_size=300))
def test_random_bytes_are_decoded_to_a_message_or_refused(encoded: bytes) -> None:
    try:
        message = decode(MODULE, "Forest", encoded)
    except DecodeError:
        return
    assert encode(MODULE, "Forest", message) == encoded


def one(type_: str) -> Any:
    """A schema of one type, compiled; its functions are ``encode_one`` and ``decode_one``."""
    return module_of(f"type One {type_}")


@pytest.mark.parametrize(
    ("type_", "value", "encoded"),
    [
        ("uint", 0, "00"),
        ("uint", 127, "7f"),
        ("uint", 128, "8001"),
        ("uint", 2**64 - 1, "ffffffffffffffffff01"),
        ("int", 0, "00"),
        ("int", -1, "01"),
        ("int", 1, "02"),
        ("int", -64, "7f"),
        ("int", 64, "8001"),
        ("int", 2**63 - 1, "feffffffffffffffff01"),
        ("int", -(2**63), "ffffffffffffffffff01"),
        ("u8", 255, "ff"),
        ("u16", 0x0102, "0201"),
        ("u32", 0x01020304, "04030201"),
        ("u64", 0x0102030405060708, "0807060504030201"),
        ("i8", -1, "ff"),
        ("i16", -2, "feff"),
        ("i32", -(2**31), "00000080"),
        ("i64", -1, "ffffffffffffffff"),
        ("f32", 1.5, "0000c03f"),
        ("f64", -0.1, "9a9999999999b9bf"),
        ("f64", float("inf"), "000000000000f07f"),
        ("bool", True, "01"),
        ("str", "ä", "02c3a4"),
        ("str", "", "00"),
        ("data", b"\x00\xff", "0200ff"),
        ("data[2]", b"\x00\xff", "00ff"),
        ("optional<u8>", None, "00"),
        ("optional<u8>", 7, "0107"),
        ("list<u16>", [1, 2], "0201000200"),
        ("list<u16>[2]", [1, 2], "01000200"),
        ("map<u8><str>", {2: "b", 1: "a"}, "020201620101" + "61"),
        ("map<bool><u8>", {True: 1, False: 0}, "0201010000"),
        ("list<optional<list<bool>>>", [None, [], [True]], "03000100010101"),
        ("list<u8>", list(range(200)), "c801" + bytes(range(200)).hex()),
    ],
)
def test_a_value_has_the_bytes_that_the_draft_gives_it(type_: str, value: Any, encoded: str) -> None:
    module = one(type_)
    assert module.encode_one(value).hex() == encoded
    decoded = module.decode_one(bytes.fromhex(encoded))
    assert decoded == value
    assert type(decoded) is type(value)


@pytest.mark.parametrize(
    ("type_", "value", "error"),
    [
        ("uint", -1, "One: expected uint, got -1"),
        ("uint", 2**64, "One: expected uint, got 18446744073709551616"),
        ("int", 2**63, "One: expected int, got"),
        ("int", -(2**63) - 1, "One: expected int, got"),
        ("f32", 1e300, r"One: expected f32, got 1e\+300"),
        ("f64", 10**400, "One: expected f64, got an integer of"),
        ("list<u8>[2]", [1], "One: expected 2 items, got 1"),
        ("list<list<u8>>", [[1], [2, 256]], r"One\[1\]\[1\]: expected u8, got 256"),
        ("map<u8><u8>", {1: 256}, r"One\[1\] value: expected u8, got 256"),
        ("struct { a: f64 b: u8 }", (0.5, 256), r"One\.b: expected u8, got 256"),
        ("struct { a: f32 b: u8 }", (1e300, 1), r"One\.a: expected f32, got 1e\+300"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(type_: str, value: Any, error: str) -> None:
    module = one(type_)
    with pytest.raises(ValueError, match=f"^{error}"):
        module.encode_one(module.One(*value) if type(value) is tuple else value)


@pytest.mark.parametrize(
    ("type_", "encoded"),
    [
        ("uint", "8000"),
        ("int", "ffffffffffffffffff02"),
        ("bool", "02"),
        ("optional<u8>", "0200"),
        ("map<u8><u8>", "0201000100"),
        ("enum { A B }", "02"),
        ("enum { A B = 200 }", "c901"),
        ("union { u8 = 200 | str }", "00"),
        ("list<u8>", "ffffffffffffffffff01"),
        ("struct { a: data[4] b: u8 }", "0000000000" + "00"),
    ],
)
def test_malformed_bytes_are_refused(type_: str, encoded: str) -> None:
    with pytest.raises(DecodeError, match="One"):
        one(type_).decode_one(bytes.fromhex(encoded))


def test_numbers_accept_what_is_a_number() -> None:
    assert one("f64").encode_one(1) == struct.pack("<d", 1.0)
    with pytest.raises(TypeError, match=r"^One: expected f64, got bool$"):
        one("f64").encode_one(True)


def test_an_enum_counts_on_from_an_explicit_value() -> None:
    color = MODULE.Color
    assert issubclass(color, enum.IntEnum)
    assert {value.name: value.value for value in color} == {"RED": 0, "GREEN": 5, "BLUE": 6}


def test_a_union_counts_on_from_an_explicit_tag() -> None:
    module = module_of("type U union { A | B = 7 | C }  type A void  type B void  type C void")
    assert [module.encode_u(made()) for made in (module.A, module.B, module.C)] == [b"\x00", b"\x07", b"\x08"]


def test_tags_of_several_bytes_are_uints() -> None:
    module = module_of("type U union { A = 300 | B = 18446744073709551615 }  type A void  type B u8")
    assert module.encode_u(module.A()) == b"\xac\x02"
    assert module.decode_u(b"\xff" * 9 + b"\x01" + b"\x05") == module.B(5)
    with pytest.raises(DecodeError, match=r"^U: U has no member 301, found at offset 0$"):
        module.decode_u(b"\xad\x02")


def test_a_member_that_is_no_struct_becomes_one_everywhere() -> None:
    module = module_of("type U union { Names | Id | u8 }  type Names list<str>  type Id str  type S struct { id: Id }")
    assert module.encode_u(module.Names(["a"])) == b"\x00\x01\x01a"
    assert module.encode_u(module.Id("a")) == b"\x01\x01a"
    assert module.encode_u(module.UU8(7)) == b"\x02\x07"
    assert module.decode_s(b"\x01a") == module.S(module.Id("a"))


def test_an_anonymous_type_is_named_by_where_it_stands() -> None:
    module = module_of("type S struct { theField: list<struct { a: optional<enum { X }> }> }")
    inner = module.STheFieldItem
    assert module.encode_s(module.S([inner(module.STheFieldItemA.X), inner(None)])) == b"\x02\x01\x00\x00"


def test_a_name_that_python_keeps_gets_an_underscore() -> None:
    module = module_of("type S struct { from: u8 int: u8 at: u8 size: u8 buf: str len: data type: bool }")
    fields = ("from_", "int_", "at", "size", "buf", "len", "type")
    assert module.S.__struct_fields__ == fields
    message = module.S(1, 2, 3, 4, "b", b"l", True)
    assert module.decode_s(module.encode_s(message)) == message


def test_only_a_recursive_type_is_left_to_the_garbage_collector() -> None:
    assert MODULE.Tree.__struct_config__.gc
    assert not MODULE.Everything.__struct_config__.gc


@pytest.mark.slow
def test_nesting_too_deep_for_python_is_refused() -> None:
    nested = MODULE.Forest([])
    for _ in range(100_000):
        nested = MODULE.Forest([nested])
    with pytest.raises(ValueError, match=r"^Forest: nested too deeply$"):
        MODULE.encode_forest(nested)
    with pytest.raises(DecodeError, match=r"^Forest: nested too deeply$"):
        MODULE.decode_forest(b"\x01" * 100_000 + b"\x00")
    while nested.items:
        # Freed one by one, because freeing a chain recurses as well.
        nested = nested.items[0]


def test_a_value_that_contains_itself_is_refused() -> None:
    items: list[Any] = []
    forest = MODULE.Forest(items)
    items.append(forest)
    with pytest.raises(ValueError, match=r"^Forest: nested too deeply$"):
        MODULE.encode_forest(forest)


def test_comments_become_documentation() -> None:
    text = generate("# Not this.\n\n# What it is.\n# And more.\ntype S struct {\n# The field.\na: u8\n}", "s")
    assert '    """What it is.\n    And more.\n    """\n\n    # The field.\n    a: int\n' in text
    assert "Not this" not in text
    quotes = 'a \\ backslash, """ three quotes, and at the end "one"'
    assert "backslash" in module_of(f"# {quotes}\ntype S u8\n# {quotes}\ntype T struct {{ s: S }}").T.__doc__


def test_the_functions_are_those_of_types_that_no_other_mentions() -> None:
    text = "type A struct { b: B }  type B u8  type C struct { c: list<C> }  type D list<E>  type E list<D>"
    names = {name for name in module_of(text).__all__ if name.startswith("encode_")}
    assert names == {"encode_a", "encode_c", "encode_d"}


def test_every_struct_has_a_python_form_in_the_largest_schema() -> None:
    structs = [made for made in vars(MODULE).values() if isinstance(made, msgspec.StructMeta)]
    assert {"EverythingEitherU8", "EverythingEitherVoid", "EverythingEitherMember3"} <= {made.__name__ for made in structs}


@pytest.mark.parametrize(
    ("schema", "error"),
    [
        ("type A u8\ntype B struct {\n a: C\n}", "line 3: the type C is not defined"),
        ("type A u8\n\ntype A u16", "line 3: A is already defined"),
        ("type A struct {\n a: u8\n a: u8 }", "line 3: the field a is given twice"),
        ("type A struct {\n fooBar: u8\n foo_bar: u8 }", "line 3: the field foo_bar is given twice"),
        ("type A enum {\n B\n B }", "line 3: the name B is given twice"),
        ("type A enum {\n B = 1\n C = 1 }", "line 3: the value 1 is given twice"),
        ("type A union { B |\n B }\ntype B void", "line 2: the member B is given twice"),
        ("type A union { B = 1 |\n C = 1 } type B void type C void", "line 2: the tag 1 is given twice"),
        ("type A\nstruct {}", "line 2: a struct must have a field"),
        ("type A\nenum {}", "line 2: an enum must have a value"),
        ("type A\nunion {}", "line 2: a union must have a member"),
        ("type A data[0]", "line 1: a fixed length must be between 1 and 2147483647"),
        ("type A list<u8>[99999999999]", "line 1: a fixed length must be between"),
        ("type A enum { B = 18446744073709551616 }", "line 1: 18446744073709551616 is larger than 2^64 - 1"),
        ("type A map<f32><u8>", "line 1: a map key must be an integer, bool, str or enum"),
        ("type A map<data><u8>", "line 1: a map key must be"),
        ("type A map<B><u8> type B struct { a: u8 }", "line 1: a map key must be"),
        ("type A list<void>", "line 1: void is only allowed as a type of its own or in a union"),
        ("type A optional<B>\ntype B void", "line 1: B is void, which only a union may contain"),
        (
            "type A struct {\n b: B }\ntype B C type C void",
            "line 2: B is void, which only a union may contain",
        ),
        (
            "type A optional<B>\ntype B optional<u8>",
            "line 1: an optional of an optional has no form in Python",
        ),
        ("type A struct { a: A }", "line 1: A contains itself, so that no value of it can end"),
        ("type A struct { b: B }\ntype B union { A }", "line 1: A contains itself"),
        ("type A list<A>[2]", "line 1: A contains itself"),
        ("type A B\ntype B A", "line 1: A is only defined as itself"),
        ("type None u8", "line 1: None has a meaning in Python and cannot name a type"),
        ("type KeyError u8", "line 1: KeyError has a meaning in Python"),
        ("type A enum {\n real }", "line 2: real has a meaning in Python"),
        (
            "type HTTPCode u8\ntype HttpCode u8",
            "line 2: HttpCode and HTTPCode would have functions of the same name",
        ),
        ("type SA u8\ntype S struct { a: enum { B } }", "line 2: SA is already defined"),
        ("type A " + "list<" * 13 + "u8" + ">" * 13, "line 1: nested more than 12 deep"),
        ("type A " + "list<" * 60 + "u8" + ">" * 60, "line 1: more than 50 types inside each other"),
        ("type A " + "list<" * 90_000, "line 1: more than 50 types inside each other"),
        ("type A\n", "line 2: expected a type, found the end of the schema"),
        ("type A struct {\n a: u8", "line 2: expected a field name, found the end of the schema"),
        ("type A struct { a u8 }", "line 1: expected ':', found 'u8'"),
        ("type a u8", "line 1: expected a type name (it begins with an upper-case letter), found 'a'"),
        ("struct A { a: u8 }", "line 1: expected 'type', found 'struct'"),
        ("type A []u8", "line 1: expected a type, found '['"),
        ("type A map[str]u8", "line 1: expected '<', found '['"),
        ("type A data[x]", "line 1: expected a number, found 'x'"),
        ("type A union { B C }", "line 1: expected '|', found 'C'"),
        ("type A string", "line 1: expected a type, found 'string'"),
        ("type A struct { 1a: u8 }", "line 1: expected a field name, found '1'"),
        ("# fine\ntype A u8 ;", "line 2: unexpected character ';'"),
        ("type A str\ntype Ä u8", "line 2: unexpected character 'Ä'"),
    ],
)
def test_a_bad_schema_is_refused_with_its_line(schema: str, error: str) -> None:
    with pytest.raises(SchemaError) as caught:
        generate(schema, "test.bare")
    assert str(caught.value).startswith(error)


def test_an_empty_schema_compiles_to_nothing() -> None:
    assert module_of("# nothing yet\n").__all__ == []
