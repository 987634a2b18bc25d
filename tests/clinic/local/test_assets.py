"""The lock file says exactly what is fetched, and from nowhere in particular."""

import json
from pathlib import Path

from clinic.local import assets
from clinic.local.places import BASE_DIR


def test_the_lock_file_names_no_host_and_pins_every_package() -> None:
    packages = json.loads((BASE_DIR / "package-lock.json").read_text())["packages"]
    wrong = [
        name
        for name, package in packages.items()
        if name and ("resolved" in package or not package["integrity"].startswith("sha512-"))
    ]
    assert wrong == []


def test_every_file_that_is_served_comes_from_a_package_of_the_lock_file() -> None:
    packages = json.loads((BASE_DIR / "package-lock.json").read_text())["packages"]
    assert [
        file
        for file in assets.FILES
        if not any(f"node_modules/{file}".startswith(f"{name}/") for name in packages if name)
    ] == []


def test_the_mention_of_source_maps_is_taken_out() -> None:
    script = b"let map = '//# sourceMappingURL=no';\n//# sourceMappingURL=a.js.map\n"
    style = b"a { color: red }\n/*# sourceMappingURL=a.css.map */"
    assert [assets.SOURCE_MAP.sub(b"", text) for text in (script, style)] == [
        b"let map = '//# sourceMappingURL=no';\n",
        b"a { color: red }\n",
    ]


def test_static_files_are_collected_again_when_a_file_or_the_way_they_are_served_changes(tmp_path: Path) -> None:
    def state(**environ: str) -> str:
        return assets.collected_state(environ, tmp_path)

    (tmp_path / "clinic.css").write_text("a { color: red }")
    first = state(CLINIC_ENV="demo")
    assert state(CLINIC_ENV="demo", PORT="8001") == first
    assert state(CLINIC_ENV="demo", DEBUG="1") != first
    (tmp_path / "clinic.css").write_text("a { color: tan }")
    second = state(CLINIC_ENV="demo")
    assert second != first
    (tmp_path / "clinic.css").rename(tmp_path / "board.css")
    assert state(CLINIC_ENV="demo") not in (first, second)
