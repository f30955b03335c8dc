"""What the compiler finds that several versions of a protocol have in common."""

from __future__ import annotations

import pytest
from bare.family import Family
from bare.module import generate_versions
from bare.schema import SchemaError
from bare.shapes import UnionShape

from tests.protocol.messages import model_of


def family(common: str, **versions: str) -> Family:
    return Family({name: model_of(f"{common}\n{schema}") for name, schema in versions.items()})


def shared(common: str, **versions: str) -> set[str]:
    return set(family(common, **versions).types)


def test_a_type_is_shared_when_every_version_spells_it_alike() -> None:
    assert shared("type A struct { a: u8 }", one="", two="") == {"A"}


def test_a_type_is_shared_when_each_version_has_it_in_its_own_text() -> None:
    assert shared("", one="type A struct {\n a: u8 }", two="# With another comment.\ntype A struct { a: u8 }") == {"A"}


def test_a_type_is_shared_when_only_one_version_has_it() -> None:
    assert shared("type A u8", one="", two="type B struct { a: A }") == {"A", "B"}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("type A struct { a: u8 }", "type A struct { a: u16 }"),
        ("type A struct { a: u8 }", "type A struct { b: u8 }"),
        ("type A struct { a: u8 }", "type A struct { a: u8 b: u8 }"),
        ("type A struct { a: u8 b: u8 }", "type A struct { b: u8 a: u8 }"),
        ("type A enum { B }", "type A enum { B C }"),
        ("type A u8", "type A str"),
        ("type A list<u8>", "type A list<u8>[2]"),
        ("type A struct { a: u8 }", "type A enum { B }"),
        ("type A struct { a: u8 }", "type A union { B } type B void"),
    ],
)
def test_a_type_is_not_shared_when_the_versions_spell_it_differently(one: str, two: str) -> None:
    assert "A" not in shared("", one=one, two=two)


@pytest.mark.parametrize(
    "container",
    [
        "type C struct { a: A }",
        "type C struct { a: optional<list<A>> }",
        "type C struct { a: map<str><A> }",
        "type C struct { a: Alias } type Alias A",
        "type C struct { u: U } type U union { A }",
        "type C list<A>",
        "type C struct { d: D } type D struct { a: A }",
    ],
)
def test_a_type_is_not_shared_when_it_contains_one_that_is_not(container: str) -> None:
    common = f"type Other u8 {container}"
    assert shared(common, one="type A struct { a: u8 }", two="type A struct { b: u8 }") == {"Other"}


def test_a_shared_type_may_contain_a_union_whose_members_differ() -> None:
    common = "type S struct { u: U } type A void type B void"
    versions = {"one": "type U union { A | B | Old } type Old void", "two": "type U union { B | New | A } type New u8"}
    found = family(common, **versions)
    assert set(found.types) == {"S", "U", "A", "B", "Old", "New"}
    union = found.types["U"]
    assert isinstance(union, UnionShape)
    assert [*union.members.values()] == ["A", "B", "Old", "New"]
    # Each version writes down which of the members it has.
    assert found.imported_types("one") == {"S", "A", "B", "Old"}
    assert found.imported_types("two") == {"S", "A", "B", "New"}


def test_a_union_with_the_same_members_under_other_tags_is_one_annotation_but_has_functions_of_its_own() -> None:
    found = family("type A void type B void", one="type U union { A | B }", two="type U union { B | A }")
    assert "U" in found.imported_types("one") & found.imported_types("two")
    assert not {"U_READERS", "U_WRITERS"} & set(found.functions)


def test_functions_are_shared_when_the_bytes_are_the_same_in_several_versions() -> None:
    common = (
        "type Whole union { S } type S struct { t: T u: U v: V } type T struct { a: str } type V union { T } type A void"
    )
    versions = {"one": "type U union { A }", "two": "type U union { A | B } type B void", "three": "type U union { A }"}
    found = family(common, **versions)
    assert set(found.types) == {"Whole", "S", "T", "U", "V", "A", "B"}
    # S contains U, whose bytes differ; only one version has B.
    assert set(found.functions) == {"read_t", "write_t", "read_a", "write_a", "V_READERS", "V_WRITERS"}
    assert set(found.constants) == {"A_VALUE"}


def test_a_type_that_contains_itself_can_be_shared() -> None:
    found = family("type Tree struct { value: str children: list<Tree> }", one="", two="")
    assert set(found.types) == {"Tree"}
    assert set(found.functions) == {"read_tree", "write_tree"}


def test_one_version_alone_shares_no_functions() -> None:
    found = family("type S struct { a: str } type U union { S }", one="")
    assert set(found.types) == {"S", "U"}
    assert not found.functions


@pytest.mark.parametrize(
    ("common", "version", "error"),
    [
        ("type A\n\nB", "", "common.bare: line 3: the type B is not defined"),
        ("type A u8", "type B u8\ntype C D", "v1.bare: line 2: the type D is not defined"),
        ("type A u8", "type B", "v1.bare: line 1: expected a type, found the end of the schema"),
        ("type A u8", "type A u8", "v1.bare: line 1: A is already defined"),
    ],
)
def test_an_error_in_a_schema_names_its_file(common: str, version: str, error: str) -> None:
    with pytest.raises(SchemaError) as caught:
        generate_versions(common, {"v1": version}, "schemas")
    assert str(caught.value) == error
