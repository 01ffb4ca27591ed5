"""Privacy: what shows a person's face or address is dropped by the name of its field, wherever it stands."""

from connectors.privacy import discreet

FACES = (
    "avatar", "avatar_url", "email", "e_mail", "phone_number", "profile_image", "profilePhotoUrl", "profilePicture",
    "authorProfileImageUrl", "profile_pic", "picture", "ip_address", "ipAddress",
)  # fmt: skip


def test_faces_and_addresses_are_dropped_and_all_else_stays() -> None:
    kept = {"id": 7, "description": "a picture of my shoe", "shipped": True, "profile": {"name": "Ana"}}
    told = {**kept, **dict.fromkeys(FACES, "x"), "by": [{"name": "Ana", **dict.fromkeys(FACES, "x")}]}
    assert discreet(told) == {**kept, "by": [{"name": "Ana"}]}
