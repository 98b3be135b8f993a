"""Users' stored credentials, and the platform's own (C §1.3, §2.3, §2.12)."""

from __future__ import annotations

import json

import pytest
from cryptography.fernet import Fernet
from graphschedule.errors import InvalidValueError
from graphschedule_platform.facts import StoredCredential
from graphschedule_platform.stores import OLLAMA, check_key, open_store, system_credentials

KEY = Fernet.generate_key().decode()
OWN = {"id": "c1", "provider": "github", "type": "api_key", "title": "Mine", "api_key": "hush"}


def encrypted(content: object, key: str = KEY) -> str:
    return Fernet(key).encrypt(json.dumps(content).encode()).decode()


def test_a_users_credentials_join_the_systems() -> None:
    store = open_store(encrypted({"credentials": [OWN], "oauth_states": []}), KEY, [OLLAMA])

    assert store.credentials == {"c1": StoredCredential("c1", "github", "api_key"), OLLAMA.id: OLLAMA}
    assert not store.unavailable


@pytest.mark.parametrize("integrations", ["", encrypted({}), encrypted({"credentials": []})])
def test_a_user_without_credentials_has_the_systems(integrations: str) -> None:
    assert open_store(integrations, KEY, [OLLAMA]).credentials == {OLLAMA.id: OLLAMA}


@pytest.mark.parametrize(
    ("integrations", "why"),
    [
        (None, "the user does not exist"),
        (
            encrypted({}, Fernet.generate_key().decode()),
            "the user's stored credentials do not open with the encryption key",
        ),
        ("not encrypted", "the user's stored credentials do not open with the encryption key"),
        (encrypted([]), "the user's stored credentials are not in the expected form"),
        (encrypted({"credentials": [{"id": "c1"}]}), "the user's stored credentials are not in the expected form"),
    ],
)
def test_a_store_that_cannot_be_read_says_why(integrations: str | None, why: str) -> None:
    store = open_store(integrations, KEY, [OLLAMA])

    assert (store.unavailable, store.credentials) == (why, {})


@pytest.mark.parametrize("key", ["", "short", "é", "A" * 44, KEY[:-4]])
def test_a_text_that_is_no_fernet_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(InvalidValueError, match="ENCRYPTION_KEY") as refusal:
        check_key(key)

    assert key not in str(refusal.value) or not key


def test_a_fernet_key_is_accepted() -> None:
    check_key(KEY)


def test_further_system_credentials_are_configured() -> None:
    assert system_credentials("") == (OLLAMA,)
    assert system_credentials(" openai:api_key:c9 ,, x:user_password:c8") == (
        OLLAMA,
        StoredCredential("c9", "openai", "api_key"),
        StoredCredential("c8", "x", "user_password"),
    )


@pytest.mark.parametrize("text", ["openai", "openai:api_key", "openai::c9", "a:b:c:d"])
def test_a_system_credential_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="provider:type:id"):
        system_credentials(text)
