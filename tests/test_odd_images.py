"""Odd images and wrong files: each has one documented result, or one error that names the row and the mend."""

import io

import numpy as np
import pytest
from PIL import Image
from tiny_models import save_vision

from recsys_lib.encoders import ImageEncoder, pixels

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def picture(number: int, height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


PICTURES = [picture(number, 30 + number, 60) for number in range(7)]


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return save_vision("vit", tmp_path_factory.mktemp("vit"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def counted(monkeypatch):
    """How many images each call of the model got."""
    sizes, forward = [], ImageEncoder._forward

    def counting(self, seen):
        sizes.append(len(seen))
        return forward(self, seen)

    monkeypatch.setattr(ImageEncoder, "_forward", counting)
    return sizes


def saved(tmp_path, image, name, **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def flat(colour, mode="RGB", size=(8, 4)):
    return Image.new(mode, size, colour)


def test_other_colour_models(tmp_path):
    def middle(path):
        return np.asarray(pixels.rgb(path, 0))[2, 4].astype(int)

    assert np.abs(middle(saved(tmp_path, flat((0, 255, 255, 0), "CMYK"), "cmyk.jpg", quality=95)) - RED).max() <= 3
    assert np.abs(middle(saved(tmp_path, flat(100, "L"), "grey.jpg")) - 100).max() <= 1
    assert (middle(saved(tmp_path, flat(BLUE).convert("P"), "palette.png")) == BLUE).all()
    assert (middle(saved(tmp_path, flat(1, "1"), "bit.png")) == WHITE).all()
    assert np.abs(middle(flat(RED).convert("YCbCr")) - RED).max() <= 3


def test_transparency_is_laid_on_white(tmp_path):
    half = flat((255, 0, 0, 128), "RGBA")
    assert np.abs(np.asarray(pixels.rgb(half, 0))[0, 0].astype(int) - (255, 127, 127)).max() <= 1
    none = saved(tmp_path, flat((255, 0, 0, 0), "RGBA"), "none.png")
    assert (np.asarray(pixels.rgb(none, 0)) == WHITE).all()
    assert (np.asarray(pixels.rgb(flat((9, 0), "LA"), 0)) == WHITE).all()
    assert (np.asarray(pixels.rgb(np.zeros((4, 4, 4), np.uint8), 0)) == WHITE).all()
    red = flat(RED).convert("P")
    palette = saved(tmp_path, red, "palette.gif", transparency=red.getpixel((0, 0)))
    assert (np.asarray(pixels.rgb(palette, 0)) == WHITE).all()
    one_colour = saved(tmp_path, flat(RED), "one.png", transparency=RED)
    assert (np.asarray(pixels.rgb(one_colour, 0)) == WHITE).all()


def test_sixteen_bits_become_eight(tmp_path):
    grey = np.array([[0, 257 * 100, 65535]], np.uint16)
    expected = np.repeat(np.array([[0, 100, 255]], np.uint8)[..., None], 3, axis=2)
    for name in ("grey.png", "grey.tif"):
        assert (np.asarray(pixels.rgb(saved(tmp_path, Image.fromarray(grey), name), 0)) == expected).all()
    (tmp_path / "grey.pgm").write_bytes(b"P5 3 1 65535\n" + grey.astype(">u2").tobytes())
    assert (np.asarray(pixels.rgb(tmp_path / "grey.pgm", 0)) == expected).all()
    for mode in ("I", "F"):
        with pytest.raises(ValueError, match=r"image 3 \(.*32.tif\) holds 32-bit numbers.*Save it with 8 bits"):
            pixels.rgb(saved(tmp_path, flat(7, mode), "32.tif"), 3)


def test_exif_turns_the_image(tmp_path):
    image = flat(RED, size=(8, 4))
    image.paste(BLUE, (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn right
    found = np.asarray(pixels.rgb(saved(tmp_path, image, "turned.png", exif=exif), 0))
    assert found.shape == (8, 4, 3) and (found[:4] == BLUE).all() and (found[4:] == RED).all()


def test_an_animation_is_its_first_frame(tmp_path):
    path = saved(tmp_path, flat(RED), "two.gif", save_all=True, append_images=[flat(BLUE)], duration=100)
    assert Image.open(path).n_frames == 2 and (np.asarray(pixels.rgb(path, 0)) == RED).all()


def test_arrays_keep_their_channels():
    assert (np.asarray(pixels.rgb(picture(0), 0)) == picture(0)).all()
    assert (np.asarray(pixels.rgb(picture(0)[::-1, ::2], 0)) == picture(0)[::-1, ::2]).all()  # not contiguous
    assert (np.asarray(pixels.rgb(picture(0)[..., 0], 0)) == picture(0)[..., :1]).all()


def broken(tmp_path):
    """Files that are wrong, by name, and what the error says of them."""
    jpeg, png, gif = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.fromarray(picture(0, 200, 200)).save(jpeg, "JPEG")
    Image.fromarray(picture(0, 200, 200)).save(png, "PNG")
    Image.fromarray(picture(0, 200, 200)).save(gif, "GIF")
    contents = {
        "empty.jpg": (b"", "is an empty file.*Fetch it anew"),
        "text.jpg": (b"<html>404</html>", "cannot be decoded: Pillow finds no image in it.*leave it out"),
        "half.jpg": (jpeg.getvalue()[: len(jpeg.getvalue()) // 2], "cannot be decoded: .*truncated.*leave it out"),
        "half.png": (png.getvalue()[: len(png.getvalue()) // 2], "cannot be decoded: .*leave it out"),
        "half.gif": (gif.getvalue()[: len(gif.getvalue()) // 2], "cannot be decoded: .*leave it out"),
        "head.jpg": (jpeg.getvalue()[:20], "cannot be decoded"),
    }
    for name, (data, _) in contents.items():
        (tmp_path / name).write_bytes(data)
    return {name: message for name, (_, message) in contents.items()}


def test_broken_files_are_named(vit, tmp_path):
    Image.fromarray(picture(1)).save(tmp_path / "good.png")
    encoder = ImageEncoder(vit, batch_size=2)
    for name, message in broken(tmp_path).items():
        with pytest.raises(ValueError, match=rf"image 1 \(.*{name}\) {message}"):
            encoder.encode([tmp_path / "good.png", tmp_path / name, PICTURES[0]])
    with pytest.raises(FileNotFoundError, match=r"image 2 \(.*gone.jpg\): there is no such file. Correct the path"):
        encoder.encode([*PICTURES[:2], tmp_path / "gone.jpg"])
    with pytest.raises(ValueError, match=r"image 0 \(.*\) cannot be read: .*readable file"):
        encoder.encode([tmp_path])
    assert encoder.encode([tmp_path / "good.png"]).shape == (1, 16)


def test_a_broken_file_is_found_before_the_model_is_loaded(vit, tmp_path, monkeypatch):
    monkeypatch.setattr(ImageEncoder, "_load", lambda self: pytest.fail("the model was loaded"))
    broken(tmp_path)
    with pytest.raises(ValueError, match="image 7"):
        ImageEncoder(vit).encode([*PICTURES, tmp_path / "text.jpg"])


def test_what_breaks_off_leaves_the_batches_before_it(vit, tmp_path, counted):
    broken(tmp_path)
    images = [*PICTURES[:4], tmp_path / "half.jpg"]
    with pytest.raises(ValueError, match="truncated"):
        ImageEncoder(vit, batch_size=2).encode(images)
    assert counted == [2, 2]
    ImageEncoder(vit).encode(images[:4])
    assert counted == [2, 2]


BAD_ARRAYS = {
    "float": (np.zeros((4, 4, 3)), r"image 0 is an array of float64.*\(array \* 255\)"),
    "signed": (np.zeros((4, 4, 3), np.int64), "image 0 is an array of int64, and pixels are uint8 from 0 to 255"),
    "boolean": (np.zeros((4, 4), bool), "image 0 is an array of bool"),
    "channels first": (np.zeros((3, 40, 40), np.uint8), r"shape \(3, 40, 40\).*channels come last"),
    "one channel": (np.zeros((4, 4, 1), np.uint8), r"shape \(4, 4, 1\)"),
    "no pixel": (np.zeros((0, 4, 3), np.uint8), "at least one pixel"),
    "one dimension": (np.zeros(4, np.uint8), r"shape \(4,\)"),
    "bytes": (b"\xff\xd8", "image 0 is of type bytes. Give a path, a PIL image or a uint8 array"),
    "nothing": (None, "image 0 is of type NoneType"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays(case):
    image, message = BAD_ARRAYS[case]
    with pytest.raises(ValueError, match=message):
        ImageEncoder().encode([image])


def test_bad_input(vit, tmp_path):
    for lone in ("poster.jpg", tmp_path / "poster.jpg", flat(RED), picture(0)):
        with pytest.raises(ValueError, match="images is one image. Give a list of images"):
            ImageEncoder().encode(lone)
    assert ImageEncoder(vit).encode(np.stack([picture(0), picture(1)])).shape == (2, 16)
    with pytest.raises(ValueError, match="there are no images"):
        ImageEncoder().encode([])
    with pytest.raises(ValueError, match="dtype must be one of float32, bfloat16, not 'int8'"):
        ImageEncoder(dtype="int8")
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        ImageEncoder(batch_size=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="cannot load the model .*neither an asset .efficientnet-lite0"):
        ImageEncoder(tmp_path / "empty").encode(PICTURES)
