"""The recorded instruments of the studio's page, in a browser."""

from chromium import opened_page
from playwright.sync_api import expect
from studio_server import Served


def test_the_instruments_of_the_parts_load_after_the_first_click(studio: Served) -> None:
    """The page asks for them before anybody plays, cannot read them, or stands still while it does."""
    with opened_page() as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url) if "/samples/" in request.url else None)
        decoded: list[str] = []
        page.on("console", lambda entry: decoded.append(entry.text))
        page.add_init_script("""
            const decode = OfflineAudioContext.prototype.decodeAudioData;
            OfflineAudioContext.prototype.decodeAudioData = async function (bytes) {
                const buffer = await decode.call(this, bytes);
                console.info(`decoded ${buffer.duration}`);
                return buffer;
            };
        """)
        page.goto(studio.address)
        assert requests == []
        with page.expect_response("**/samples/*.json", timeout=30_000) as answer:
            page.locator(".roll-canvas").click(position={"x": 200, "y": 200})
        sounds = answer.value.json()["notes"]
        while len(decoded) < len(sounds):
            page.wait_for_event("console", timeout=10_000)
        assert {float(text.split()[1]) for text in decoded} == {3.0}
        assert len(requests) == len(set(requests))
        expect(page.locator("#error")).to_have_text("")
        expect(page.locator("#status")).not_to_contain_text("recorded")
