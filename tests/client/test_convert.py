"""Files that the server does not read, converted by the client: which are sent, which are refused, and their memory."""

import io
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from client.shells import SHELLS, classify
from hubserve import Client, UsageError
from hubserve._images.convert import converted
from hubserve._images.convert._room import Room
from hubserve._images.encode import EncodedImage
from hubserve._images.kinds import AVIF, HEIC, TIFF, kind_of
from hubserve._images.preparation import encoder
from hubserve.testing import FakeServer
from support.foreign_files import corpus, dng, exchanged, exchanged_profile, heic, tiff, tiled
from support.photographs import encoded, image, mirrored

PICTURE = image().resize((300, 200))


def word_aligned_fax() -> bytes:
    """A black and white TIFF whose tag says that each row of its fax coding begins at a whole word."""
    data = encoded(PICTURE.convert("1"), "TIFF", compression="group3")
    tag = struct.pack("<HHI", 259, 3, 1)
    assert data.count(tag) == 1
    return data.replace(tag + struct.pack("<H", 3), tag + struct.pack("<H", 32771))


def prepared(file: object, size: int = 0) -> EncodedImage:
    return encoder(size, convert=True)(0, file)


def opened(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


def test_each_file_is_sent_with_the_pixels_that_it_shows():
    wrong = {}
    for name, data, shown, tolerance in corpus(PICTURE):
        sent = prepared(data)
        if sent.error is not None:
            wrong[name] = str(sent.error)
            continue
        picture = opened(sent.data)
        if name.startswith("RAW"):
            picture = PIL.ImageOps.exif_transpose(picture)
        same_form = picture.size == shown.size and "icc_profile" not in picture.info
        colours = [np.asarray(one.convert("RGB"), int) for one in (picture, shown)]
        if not same_form or (off := np.abs(colours[0] - colours[1]).mean()) > tolerance:
            wrong[name] = f"{picture}, {off:.2f} off" if same_form else str(picture)
    assert wrong == {}


def test_a_path_and_bytes_are_converted_alike_and_what_the_server_reads_goes_as_it_is(tmp_path: Path):
    for name, data in {"a.HEIC": heic(PICTURE), "b": encoded(PICTURE, "JPEG", icc_profile=exchanged_profile())}.items():
        (tmp_path / name).write_bytes(data)

    assert prepared(tmp_path / "a.HEIC").data == prepared((tmp_path / "a.HEIC").read_bytes()).data
    assert opened(prepared(tmp_path / "a.HEIC").data).format == "PNG"
    assert prepared(tmp_path / "b").data == (tmp_path / "b").read_bytes()


def test_a_photograph_of_more_than_a_megapixel_is_a_jpeg_without_colour_subsampling():
    sent = opened(prepared(encoded(mirrored(1300, 900), "TIFF")).data)

    assert (sent.format, sent.size) == ("JPEG", (1300, 900))
    assert [layer[1:3] for layer in sent.layer] == [(1, 1)] * 3


def test_more_pixels_than_a_phone_makes_are_averaged_by_a_whole_factor():
    picture = mirrored(5000, 3001)

    sent = opened(prepared(encoded(picture, "TIFF")).data)

    assert sent.size == (2500, 1501)
    difference = np.asarray(sent, int) - np.asarray(picture.reduce(2), int)
    assert np.abs(difference).mean() < 2


def test_shrink_makes_a_converted_image_as_small_as_the_model_needs():
    assert opened(prepared(encoded(PICTURE.resize((800, 600)), "TIFF"), size=150).data).size == (200, 150)


def test_the_first_of_several_images_is_sent_and_noted_as_the_first():
    red, other = PIL.Image.new("RGB", (64, 64), "red"), PIL.Image.new("RGB", (64, 64), "blue")
    files = {
        "HEIC": heic(red, other),
        "AVIF": encoded(red, "AVIF", save_all=True, append_images=[other]),
        "TIFF": encoded(red, "TIFF", save_all=True, append_images=[other]),
    }
    for name, data in files.items():
        sent = prepared(data)
        assert sent.note == "the file holds several images, and only the first was used", name
        np.testing.assert_allclose(np.asarray(opened(sent.data))[32, 32], (255, 0, 0), atol=6)
    assert prepared(heic(red)).note is None


# Images of satellites have channels without a known colour.
BANDS = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unspecified"] * 3}
RAMP = np.linspace(0, 4000, 64 * 64).reshape(64, 64)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (heic(PICTURE)[:2000], ["this is a HEIC photograph that cannot be converted"]),
        (encoded(PICTURE, "TIFF")[:-1000], ["this is a TIFF image that cannot be converted"]),
        (encoded(PICTURE, "TIFF", compression="tiff_lzw")[:60_000], ["this is a TIFF image", "cut short"]),
        (encoded(PICTURE, "AVIF")[:3000], ["this is an AVIF image that cannot be converted"]),
        (tiff(RAMP.astype(np.uint16)), ["16-bit values end at 4000", "if they have 12, multiply them by 16"]),
        (tiff(RAMP.astype(np.float32)), ["from 0 to 4000", "scale them to 0 to 1"]),
        (tiff(-RAMP.astype(np.int16)), ["from -4000 to 0"]),
        (tiff(np.zeros((9, 9), np.int8) - 5), ["from -5 to 0", "7 bits"]),
        (tiff(np.zeros((9, 9), np.uint64)), ["its form is not supported", "64 bits", "save it as RGB of 8 or 16 bits"]),
        (tiff(np.zeros((9, 9, 4), np.uint16), **BANDS), ["it has 4 channels, and does not say"]),
        (word_aligned_fax(), ["compression (32771)", "tiffcp -c g4"]),
        (encoded(PICTURE, "JPEG2000", no_jp2=True, mct=0), ["does not say what colours", "save it as .jp2"]),
        (encoded(PICTURE.convert("RGBA"), "JPEG2000", no_jp2=True), ["does not say what colours"]),
        (dng(b""), ["this is a camera's RAW file"]),
        (b"II*\0\x08\0\0\0\xff\xff" + bytes(100), ["this is a TIFF image"]),
        (b"II*\0\x08\0\0\0\0\0", ["this is a TIFF image"]),
    ],
)
def test_a_file_that_cannot_be_converted_fails_alone_and_says_what_it_is(data: bytes, words: list[str]):
    with FakeServer(lambda image: {"cat": 1.0}) as server, Client(server.target, model="m", convert=True) as client:
        good, bad, last = client.classify([heic(PICTURE), data, encoded(PICTURE, "JPEG")])

    if words == ["this is a camera's RAW file"]:
        # It has a preview of its own, blue and small.
        assert bad.ok
        return
    assert (good.ok, last.ok) == (True, True)
    assert all(word in str(bad.error) for word in words), bad.error
    assert "\n" not in str(bad.error)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_bare_codestream_that_tells_its_colours_is_converted(mode: str):
    sent = prepared(encoded(PICTURE.convert(mode), "JPEG2000", no_jp2=True, mct=mode == "RGB"))
    assert np.array_equal(opened(sent.data), PICTURE.convert(mode))


def test_a_raw_file_without_a_preview_says_so():
    assert "without a JPEG preview" in str(prepared(b"FUJIFILMCCD-RAW" + bytes(1000)).error)


def test_damage_anywhere_in_a_tiff_is_an_error_or_an_image():
    data = bytearray(encoded(PICTURE.resize((60, 40)), "TIFF", compression="tiff_lzw"))
    random = np.random.default_rng(5)
    for _ in range(300):
        broken = data.copy()
        for place in random.integers(4, len(broken), 3):
            broken[place] = random.integers(256)
        sent = prepared(bytes(broken))
        assert sent.error is not None or opened(sent.data).size


@pytest.mark.parametrize("shell", SHELLS)
def test_both_clients_convert_only_with_convert(shell: str):
    photograph = heic(PICTURE)
    with FakeServer(lambda image: 1 if kind_of(image) is HEIC else {"cat": 1.0}) as server:
        (plain,) = classify(shell, server.target, [photograph])
        (made,) = classify(shell, server.target, [photograph], convert=True)

    assert "this is a HEIC photograph: pip install 'hubserve[photos]'" in str(plain.error)
    assert (made.ok, made.label) == (True, "cat")


@pytest.mark.parametrize("missing", ["PIL", "pillow_heif"])
def test_without_the_packages_the_error_tells_how_to_get_them(monkeypatch: pytest.MonkeyPatch, missing: str):
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(UsageError, match=r'pip install "hubserve\[photos\]"'):
        Client("localhost:1", model="m", convert=True)


def test_a_profile_that_is_damaged_or_of_other_colours_is_not_applied():
    for profile in (b"no profile", exchanged_profile()):
        made = converted(io.BytesIO(encoded(PICTURE.convert("L"), "TIFF", icc_profile=profile)), TIFF)
        np.testing.assert_array_equal(np.asarray(opened(made.data)), np.asarray(PICTURE.convert("L")))


def test_transparent_colours_lie_over_white_after_their_profile():
    clear = exchanged(PICTURE).convert("RGBA")
    clear.putalpha(128)
    made = converted(io.BytesIO(encoded(clear, "AVIF", quality=100, icc_profile=exchanged_profile())), AVIF)
    expected = PIL.Image.blend(PIL.Image.new("RGB", PICTURE.size, "white"), PICTURE, 128 / 255)
    assert np.abs(np.asarray(opened(made.data), int) - np.asarray(expected, int)).mean() < 2


MEMORY = """
import re, sys
from pathlib import Path
from hubserve._images.preparation import encoder
made = encoder(0, convert=True)(0, sys.argv[1])
assert made.error is None, made.error
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_tiff_of_forty_megapixels_takes_the_memory_of_a_few_rows(tmp_path: Path):
    """A thousand files take more; `benchmarks/convert.py` prints it."""
    (tmp_path / "large.tif").write_bytes(tiled(6_400))
    run = subprocess.run([sys.executable, "-c", MEMORY, tmp_path / "large.tif"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 250


def test_a_room_lets_in_what_fits_and_one_that_never_does_alone():
    room = Room(10)
    inside, leave = threading.Semaphore(0), threading.Event()

    def enter(pixels: int) -> None:
        with room.for_(pixels):
            inside.release()
            assert leave.wait(30)

    threads = [threading.Thread(target=enter, args=(pixels,)) for pixels in (6, 4)]
    for thread in threads:
        thread.start()
        assert inside.acquire(timeout=30)
    third = threading.Thread(target=enter, args=(99,))
    third.start()
    assert not inside.acquire(timeout=0.05)
    leave.set()
    for thread in (*threads, third):
        thread.join(30)
    assert inside.acquire(timeout=30)
