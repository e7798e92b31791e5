import os
from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campfire.config import STANDARD_RETRY_SCHEDULE, Settings
from campfire.errors import CampfireError

FIELDS = [field.name for field in msgspec.structs.fields(Settings)]


def refusal(environ: dict[str, str]) -> str:
    """What is said about settings that are refused."""
    with pytest.raises(CampfireError) as refused:
        Settings.from_environment(environ)
    assert refused.value.code == "CONFIGURATION_INVALID"
    return refused.value.detail


def test_without_settings_everything_has_its_documented_default() -> None:
    """Data under ./data, port 3000, no limit, the worker as a child, no network allowed but the public one."""
    settings = Settings.from_environment({"PATH": "/bin", "HOME": "/"})
    assert settings == Settings()
    assert (settings.data, settings.port, settings.rate_limit_rpm) == (Path("data"), 3000, 0)
    assert (settings.outbox, settings.webhook_allow) == ("embedded", ())
    assert settings.webhook_retry_schedule == STANDARD_RETRY_SCHEDULE


def test_every_setting_can_be_set() -> None:
    """Each by CAMPFIRE_ and its name in capitals."""
    texts = {
        "data": "somewhere",
        "host": "127.0.0.1",
        "port": "0",
        "rate_limit_rpm": "600",
        "outbox": "external",
        "outbox_lease": "10",
        "outbox_stop_seconds": "4",
        "outbox_metrics": "127.0.0.1:0",
        "webhook_allow": "10.0.0.0/8, fd00::/8, CI.lan., gitlab,",
        "webhook_retry_schedule": "0.5,2",
        "webhook_timeout": "1.5",
        "webhook_breaker_seconds": "2",
        "webhook_disable_after_days": "2.5",
        "push_subject": "https://example.org/contact",
        "push_ttl": "3600",
        "bot_timeout": "3.5",
        "session_days": "1",
        "scrub_after_hours": "0.5",
        "upload_limit_mb": "5",
        "link_previews": "off",
        "link_preview_allow": "10.1.0.0/16",
        "log_level": "debug",
    }
    assert sorted(texts) == sorted(FIELDS)
    settings = Settings.from_environment({f"CAMPFIRE_{name.upper()}": text for name, text in texts.items()})
    assert settings == Settings(
        data=Path("somewhere"),
        host="127.0.0.1",
        port=0,
        rate_limit_rpm=600,
        outbox="external",
        outbox_lease=10.0,
        outbox_stop_seconds=4.0,
        outbox_metrics="127.0.0.1:0",
        webhook_allow=(ip_network("10.0.0.0/8"), ip_network("fd00::/8"), "ci.lan", "gitlab"),
        webhook_retry_schedule=(0.5, 2.0),
        webhook_timeout=1.5,
        bot_timeout=3.5,
        webhook_breaker_seconds=2.0,
        webhook_disable_after_days=2.5,
        push_subject="https://example.org/contact",
        push_ttl=3600.0,
        session_days=1,
        scrub_after_hours=0.5,
        upload_limit_mb=5,
        link_previews="off",
        link_preview_allow=(ip_network("10.1.0.0/16"),),
        log_level="debug",
    )


def test_the_command_line_wins_over_the_environment() -> None:
    """What was not given there is left to the environment."""
    settings = Settings.from_environment({"CAMPFIRE_PORT": "1", "CAMPFIRE_HOST": "::1"}, port="2", host=None)
    assert (settings.port, settings.host) == (2, "::1")


def test_a_misspelt_setting_is_refused_with_the_right_spelling() -> None:
    """Rather than being ignored until somebody wonders."""
    said = refusal({"CAMPFIRE_RATE_LIMT_RPM": "5"})
    assert "CAMPFIRE_RATE_LIMT_RPM" in said and "Did you mean CAMPFIRE_RATE_LIMIT_RPM?" in said


def test_an_unknown_setting_is_refused_with_those_that_there_are() -> None:
    """When nothing comes near."""
    said = refusal({"CAMPFIRE_XYZZY": "1"})
    assert all(f"CAMPFIRE_{name.upper()}" in said for name in FIELDS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", ""),
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "3000.5"),
        ("RATE_LIMIT_RPM", "-1"),
        ("RATE_LIMIT_RPM", "many"),
        ("OUTBOX", "Embedded"),
        ("OUTBOX", ""),
        ("WEBHOOK_ALLOW", "10.0.0.1/8"),
        ("WEBHOOK_ALLOW", "http://ci.lan"),
        ("WEBHOOK_ALLOW", "ci.lan:8080"),
        ("WEBHOOK_ALLOW", "*.lan"),
        ("WEBHOOK_ALLOW", "127.1"),
        ("WEBHOOK_ALLOW", "0x7f000001"),
        ("WEBHOOK_ALLOW", "10.0.0.0/8;10.1.0.0/16"),
        ("WEBHOOK_RETRY_SCHEDULE", "5,soon"),
        ("WEBHOOK_RETRY_SCHEDULE", "5,-1"),
        ("WEBHOOK_TIMEOUT", "0"),
        ("WEBHOOK_TIMEOUT", "nan"),
        ("WEBHOOK_TIMEOUT", "inf"),
        ("WEBHOOK_BREAKER_SECONDS", "-5"),
        ("WEBHOOK_DISABLE_AFTER_DAYS", "-1"),
        ("PUSH_SUBJECT", "ops@example.org"),
        ("PUSH_SUBJECT", "mailto:nobody"),
        ("PUSH_TTL", "0"),
        ("SESSION_DAYS", "0"),
        ("SESSION_DAYS", "1e9"),
        ("SCRUB_AFTER_HOURS", "-1"),
        ("SCRUB_AFTER_HOURS", "nan"),
        ("UPLOAD_LIMIT_MB", "0"),
        ("LOG_LEVEL", "verbose"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(name: str, text: str) -> None:
    """With the setting and the value as it was given."""
    said = refusal({f"CAMPFIRE_{name}": text})
    assert f"CAMPFIRE_{name}={text!r}" in said


@given(st.sampled_from(FIELDS), st.text())
def test_any_text_is_a_value_or_is_refused_by_name(name: str, text: str) -> None:
    """No setting can make the start fail in a way that has no name."""
    try:
        Settings.from_environment({f"CAMPFIRE_{name.upper()}": text})
    except CampfireError as refused:
        assert refused.code == "CONFIGURATION_INVALID" and f"CAMPFIRE_{name.upper()}" in refused.detail


def test_all_files_are_in_the_data_directory() -> None:
    """Whoever backs that up has everything."""
    settings = Settings(data=Path("here"))
    found = [getattr(settings, name) for name in dir(Settings) if name.endswith("_path")]
    paths = [path for path in found if isinstance(path, Path)]
    assert len(paths) == 12 and {path.parent for path in paths} == {Path("here")}
    assert len(set(paths)) == len(paths)


def test_the_environment_is_read_when_nothing_else_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command lines."""
    for name in os.environ:
        if name.startswith("CAMPFIRE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CAMPFIRE_PORT", "4711")
    assert Settings.from_environment().port == 4711


def test_a_child_process_is_given_the_same_settings(tmp_path: Path) -> None:
    """Whatever was set, and wherever it came from."""
    settings = Settings(
        data=tmp_path,
        host="::1",
        port=8080,
        rate_limit_rpm=7,
        outbox="external",
        outbox_lease=10.0,
        outbox_stop_seconds=4.0,
        outbox_metrics="127.0.0.1:0",
        webhook_allow=(ip_network("10.0.0.0/8"), ip_network("fd00::/8"), "ci.lan", "gitlab"),
        webhook_retry_schedule=(0.5, 7.0),
        webhook_timeout=1.5,
        webhook_breaker_seconds=2.0,
        webhook_disable_after_days=2.5,
        push_subject="mailto:ops@example.org",
        push_ttl=60.0,
        bot_timeout=3.5,
        session_days=3,
        scrub_after_hours=0.5,
        upload_limit_mb=5,
        link_previews="off",
        link_preview_allow=(ip_network("10.1.0.0/16"),),
        log_level="debug",
    )
    defaults = Settings()
    for field in settings.__struct_fields__:
        assert getattr(settings, field) != getattr(defaults, field), f"{field} is not tried"
    assert Settings.from_environment(settings.environment()) == settings
    assert Settings.from_environment(Settings(data=tmp_path).environment()) == Settings(data=tmp_path)
