from typing import Any

from pydantic import TypeAdapter

from pipeline.analysis import Analysis, Analyst
from pipeline.classifier import Reading
from pipeline.trusted import trusted

TEXTS = ("I want my money back, the sole came off.", "Lovely shoes!", "Ich bin sehr unzufrieden mit der Lieferung", "")


def test_what_an_analyst_makes_unchecked_is_what_the_check_would_have_made() -> None:
    readings = [Reading(key=str(at), text=text, rating=2.0) for at, text in enumerate(TEXTS)]
    for made in Analyst("fast").analyse(readings):
        told: dict[str, Any] = {name: getattr(made, name) for name in Analysis.model_fields}
        checked = TypeAdapter(Analysis).validate_python(told, strict=True)
        assert made == checked
        assert repr(made) == repr(checked)
        assert made.model_dump_json() == checked.model_dump_json()


def test_two_made_of_the_same_values_share_no_list_of_what_was_set() -> None:
    told = dict.fromkeys(Analysis.model_fields)
    one, other = trusted(Analysis, told), trusted(Analysis, told)
    one.mention_key = "hackernews:1"
    assert other.mention_key is None
    assert one.model_fields_set is not other.model_fields_set
