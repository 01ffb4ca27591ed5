"""Words: what the author of a post wrote, without what it quotes or shows of other pages."""

import re

_TAG = re.compile(r"<(/?)(aside|img)\b([^<>]*)>", re.IGNORECASE)
_OTHERS = re.compile(r'\bclass="(?:quote|onebox)\b')
_EMOJI = re.compile(r'\bclass="emoji')
_ALT = re.compile(r'\balt="([^"]*)"')
_LINK = re.compile(r'\bdata-onebox-src="([^"]*)"')


def own(cooked: str) -> str:
    """A post's HTML: quotes are gone, a page that is shown is its link again, an emoji is its name.

    Quotes stand in quotes: an `aside` ends with its own end, not with the first. One that never ends is kept.
    """
    said: list[str] = []
    place = depth = 0
    link = ""
    for tag in _TAG.finditer(cooked):
        ends, name, inside = tag[1], tag[2].lower(), tag[3]
        if depth:
            depth += 0 if name == "img" else -1 if ends else 1
            if not depth:
                said.append(link)
                place = tag.end()
        elif name == "img" and _EMOJI.search(inside):
            alt = _ALT.search(inside)
            said += cooked[place : tag.start()], alt[1] if alt else ""
            place = tag.end()
        elif name == "aside" and not ends and _OTHERS.search(inside):
            shown = _LINK.search(inside)
            link = f"<p>{shown[1]}</p>" if shown else ""
            said.append(cooked[place : tag.start()])
            depth, place = 1, tag.start()
    return "".join([*said, cooked[place:]])
