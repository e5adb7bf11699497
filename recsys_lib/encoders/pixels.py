"""Images of any kind to RGB pixels, or an error that names the row and the file."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from recsys_lib.encoders.inputs import content, content_key, is_path, named

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


def is_image(item) -> bool:
    """Whether this is one image: a path, a PIL image, or an array that is not a stack of them."""
    return is_path(item) or isinstance(item, Image.Image) or (isinstance(item, np.ndarray) and item.ndim < 4)


def key(image, row: int) -> bytes:
    """16 bytes that stand for what is seen: the content of a file, the RGB pixels of anything else."""
    if is_path(image):
        return content_key("file", content(image, named("image", row, image)))
    pixels = rgb(image, row)
    return content_key("pixels", pixels.size, pixels.tobytes())


def look(image, row: int) -> None:
    """The errors of `rgb` that a look at the beginning of a file is enough for."""
    if is_path(image):
        _opened(image, named("image", row, image)).close()


def rgb(image, row: int) -> Image.Image:
    """The image upright, with three channels of 8 bits.

    A transparent image is laid on white; of an animation the first frame counts; 16-bit grey is divided by 257;
    CMYK, grey, palettes and YCbCr are converted by Pillow; EXIF's orientation is applied.

    Parameters
    ----------
    image : path, PIL image, or uint8 array (h, w), (h, w, 3) or (h, w, 4)
    row : int
        Its place in the list, for errors.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file is empty, is no image or breaks off, if an array has another shape or dtype, if the numbers have
        32 bits (nothing says which of them is white).
    """
    name = named("image", row, image)
    if isinstance(image, np.ndarray):
        return _three_channels(_from_array(image, name), name)
    if isinstance(image, Image.Image):
        return _decoded(image, name)
    if not is_path(image):
        raise ValueError(f"{name} is of type {type(image).__name__}. Give a path, a PIL image or a uint8 array")
    with _opened(image, name) as opened:
        return _decoded(opened, name)


def _opened(path, name: str) -> Image.Image:
    content(path, name)
    try:
        return Image.open(path)
    except Exception as error:  # Pillow's readers raise whatever their parsing meets
        raise ValueError(_unreadable(name, error)) from None


def _decoded(image: Image.Image, name: str) -> Image.Image:
    try:
        image.load()
    except Exception as error:
        raise ValueError(_unreadable(name, error)) from None
    return _three_channels(image, name)


def _unreadable(name: str, error: Exception) -> str:
    reason = "Pillow finds no image in it" if isinstance(error, Image.UnidentifiedImageError) else str(error)
    return f"{name} cannot be decoded: {reason.rstrip('.')}. Fetch it anew, save it as JPEG or PNG, or leave it out"


def _three_channels(image: Image.Image, name: str) -> Image.Image:
    sixteen = image.mode in SIXTEEN_BITS or (image.mode == "I" and image.format in ("PNG", "PPM"))
    if image.mode in ("I", "F") and not sixteen:
        raise ValueError(f"{name} holds 32-bit numbers, of which none is known to be white. Save it with 8 bits")
    try:
        image = ImageOps.exif_transpose(image)
        if sixteen:
            return Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8)).convert("RGB")
        if image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image.convert("RGBA"))
            return white.convert("RGB")
        return image.convert("RGB")
    except Exception as error:
        raise ValueError(_unreadable(name, error)) from None


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    if array.dtype != np.uint8:
        mend = "(array * 255).round().astype('uint8') if it lies in [0, 1]" if array.dtype.kind == "f" else "uint8"
        raise ValueError(f"{name} is an array of {array.dtype}, and pixels are uint8 from 0 to 255: take {mend}")
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise ValueError(
            f"{name} is an array of shape {array.shape}. Give (height, width), (height, width, 3) or "
            "(height, width, 4), with at least one pixel: channels come last"
        )
    return Image.fromarray(np.ascontiguousarray(array))
