"""Features of length 1 of the images and texts of one call, each encoded once."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor
from torch.backends import cudnn

from dama.errors import HardnessError
from dama.hardness.clip import Clip
from dama.hardness.decoding import decoded
from dama.hardness.similarity import Images
from dama.hardness.texts import TextTower

REMEMBERED = 65_536
"""Features of images, and of texts, that are kept for later windows: 200 MB each at 768 numbers."""


class Features:
    """What was encoded in one call; nothing outlives it, for a batch's bits depend on its company."""

    def __init__(
        self, clip: Clip, tower: TextTower, images: Images, counts: Counter[str], batch: int, threads: int
    ) -> None:
        self._clip, self._tower, self._source, self._counts = clip, tower, images, counts
        self._batch, self._threads = batch, threads
        self._images: OrderedDict[str, Tensor] = OrderedDict()
        self._texts: OrderedDict[str, Tensor] = OrderedDict()

    def of_images(self, whose: Mapping[str, str]) -> dict[str, Tensor]:
        """Return the feature of every image (by sha256); `whose` names a preference of each, for errors."""
        return self._remembered(whose, self._images, "images", lambda new: self._encode_images(new, whose))

    def of_texts(self, whose: Mapping[str, str]) -> dict[str, Tensor]:
        """Return the feature of every text; `whose` names a preference of each, for errors."""
        return self._remembered(whose, self._texts, "texts", lambda new: self._tower.encode(new, self._batch))

    def _remembered(
        self,
        whose: Mapping[str, str],
        known: OrderedDict[str, Tensor],
        counted: str,
        encode: Callable[[list[str]], Iterator[tuple[list[str], Tensor]]],
    ) -> dict[str, Tensor]:
        found = {key: known[key] for key in whose if key in known}
        for keys, features in encode([key for key in whose if key not in found]):
            self._counts[counted] += len(keys)
            found |= zip(keys, self._unit(keys, features, whose, counted), strict=True)
        for key in whose:
            known[key] = found[key]
            known.move_to_end(key)
        while len(known) > REMEMBERED:
            known.popitem(last=False)
        return found

    def _encode_images(self, keys: list[str], whose: Mapping[str, str]) -> Iterator[tuple[list[str], Tensor]]:
        def load(key: str) -> Tensor:
            try:
                return self._clip.transform(self._source.open(key))
            except Exception as error:  # decoders raise whatever broken bytes make them meet
                raise HardnessError(
                    f"the image {key[:12]}… of preference {whose[key]} cannot be used: "
                    f"{str(error)[:200] or type(error).__name__}",
                    wanted="an image that stage data has checked",
                    do="delete the artifact of stage data and run it again",
                ) from error

        for batch, pixels in decoded(keys, load, batch=self._batch, threads=self._threads):
            yield batch, self._seen(pixels)

    @torch.inference_mode()
    def _seen(self, pixels: Tensor) -> Tensor:
        # On a GPU convolutions run in TF32 unless told not to: ten bits for scores of 20 to 30.
        with cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=False):
            features: Tensor = self._clip.model.encode_image(pixels.to(self._clip.device, self._clip.dtype))
            return features

    def _unit(
        self, keys: list[str], features: Tensor, whose: Mapping[str, str], counted: str
    ) -> Iterable[Tensor]:
        """Return rows of length 1, float32, on the CPU; HardnessError where one is not finite."""
        rows = torch.nn.functional.normalize(features.float(), dim=-1).cpu()
        for key, good in zip(keys, torch.isfinite(rows).all(dim=-1).tolist(), strict=True):
            if not good:
                what = f"image {key[:12]}…" if counted == "images" else f"fact '{key[:80]}'"
                raise HardnessError(
                    f"the {what} of preference {whose[key]} has no finite feature in {self._clip.precision}",
                    do="set hardness.scorer.precision=float32; if it is, check the CLIP weights",
                )
        return rows
