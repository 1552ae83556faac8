"""The network: a timm encoder, a decoder of segmentation-models-pytorch, and the heads that a method needs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from timm.models import adapt_input_conv
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from underpaint.core.errors import ConfigError, RunError, nearest
from underpaint.core.paths import nearest_path
from underpaint.models.config import Architecture, ModelConfig
from underpaint.models.depthwise import widen_depthwise
from underpaint.models.embedding import LinearEmbedding
from underpaint.models.linear import STRIDE, Levels, LinearHead, LinearScores, averaged
from underpaint.models.tensors import load_into, read_tensors
from underpaint.models.top import Top
from underpaint.models.vit import DptDecoder, ViTEncoder, is_vit
from underpaint.models.weights import BUNDLED, bundled_state
from underpaint.records import Batch, Head, NetOutput

LINEAR_FIELD = 448
"""Least `Network.field` of a network with a linear model beside its decoder, which was fitted on whole images: images
of up to 512 pixels are predicted as a whole. On voc_animals ``dev`` tiles of 416 and 640 pixels gave 69.3 and 69.1
mIoU; the mean over the whole image, which every tile needs, costs a pass of the encoder."""

SCALE_PARTS = 10_000
"""The scale before the encoder is rounded to a multiple of 1 / `SCALE_PARTS`."""


HEADS = {Head.TAGS: "tag_head", Head.VARIANCE: "variance_head", Head.EMBEDDING: "embedding_head"}
"""The module of each optional head that has weights of its own."""

TAG_DROPOUT = 0.5
"""Dropout rate of the pooled features before the tag heads (PSA, RRM, SC-CAM)."""

DIVISOR: dict[Architecture, int] = {"deeplabv3plus": 16, "fpn": 32, "unet": 32, "dpt": 32, "linear": 32}
"""Height and width of the input must be multiples of this: the coarsest stride of the features."""


def _decoder_settings(config: ModelConfig) -> dict[str, Any]:
    width = config.width
    if config.architecture == "deeplabv3plus":
        # The paper's rates for output stride 16 are for crops of 513 pixels; half of them fit crops of 200 to 350.
        return {"decoder_channels": width, "encoder_output_stride": 16, "decoder_atrous_rates": (6, 12, 18)}
    if config.architecture == "fpn":
        return {"decoder_pyramid_channels": width, "decoder_segmentation_channels": width}
    return {"decoder_channels": (2 * width, width, width // 2, width // 4, width // 4)}


class Network(nn.Module):
    """Encoder, decoder, and heads; returns a `NetOutput` for a (N, B, H, W) normalised image.

    Args:
        config: Architecture and encoder.
        classes: C, number of classes.
        needs: Optional heads of the network.
        subclasses: K, number of sub-categories of every class, which are predicted from the same pooled features as the
            tags; 0 for none.
        decodes: False for a classifier of images. Its decoder and last layer keep their initial weights and are left
            out of the forward pass; the logits are one cell of zeros, and an embedding is linear in the encoder's
            features.
        frozen: Whether all weights of the encoder stay as they are.
        linear: Whether the scores are those of the decoder and of a linear model on the encoder's features together.
            The last layer of the decoder then starts at 0.
        pretrained: Whether to load the encoder's weights; False if a checkpoint is loaded afterwards.
        field: Pixels of the image along the longer side of the largest view in training. Prediction chooses the size of
            its tiles from it. None if it is not known; a linear decoder is fitted on whole images, so it has none.
        widened: Whether tag heads use the wide features of `Top` if the encoder's classifier has them. For files of
            weights without these layers, the heads use the deepest features.

    Raises:
        ConfigError: The encoder is unknown or does not fit the decoder, or the weights are missing or do not fit.
    """

    def __init__(
        self,
        config: ModelConfig,
        classes: int,
        *,
        needs: Set[Head] = frozenset(),
        subclasses: int = 0,
        decodes: bool = True,
        frozen: bool = False,
        linear: bool = False,
        pretrained: bool = True,
        field: int | None = None,
        widened: bool = True,
    ) -> None:
        super().__init__()
        self.config = config
        self.decodes, self.frozen = decodes, frozen
        self.needs = frozenset(needs)
        if not timm.is_model(config.encoder):
            near = nearest(config.encoder, timm.list_models())
            raise ConfigError(
                f"timm has no encoder {config.encoder!r}", where="model.encoder", fix=near or "see timm.list_models()"
            )
        online = pretrained and config.weights == "auto" and config.encoder not in BUNDLED
        self.mean, self.std = normalisation(config.encoder, config.bands)
        self.encoder, self.decoder, self.head, width = self._parts(classes, online=online)
        self.linear = self._linear(classes) if linear else None
        widen_depthwise(self)
        tagged = Head.TAGS in self.needs or bool(subclasses)
        with _named_errors(config):
            self.top = Top.of(config.encoder, online=online) if tagged and widened else None
        self.variance_head = nn.Conv2d(width, 1, 1) if Head.VARIANCE in self.needs else None
        self.embedding_head = self._embedding(width) if Head.EMBEDDING in self.needs else None
        if pretrained and not online and config.weights != "none":
            self._load_encoder()
        deepest = self.encoder.out_channels[-1] if self.top is None else self.top.width
        self.tag_head = nn.Conv2d(deepest, classes, 1, bias=False) if Head.TAGS in self.needs else None
        self.sub_head = nn.Linear(deepest, classes * subclasses, bias=False) if subclasses else None
        if config.freeze_to and config.weights != "none" and not isinstance(self.encoder, ViTEncoder):
            _freeze(self.encoder.model, config.freeze_to)
        if frozen:
            self.encoder.requires_grad_(False)
        if not decodes:
            self.decoder.requires_grad_(False)
            self.head.requires_grad_(False)
        self.divisor = DIVISOR[config.architecture]
        least = LINEAR_FIELD if linear else 0
        self.field = None if config.architecture == "linear" or field is None else max(field, least)

    def _linear(self, classes: int) -> LinearScores:
        """The linear model beside the decoder, whose last layer is set to 0."""
        assert isinstance(self.head, nn.Conv2d)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        stride = int(getattr(self.encoder, "output_stride", STRIDE))
        return LinearScores(Levels(self.encoder.out_channels, self.mean, self.std, stride), classes)

    @property
    def linear_head(self) -> LinearHead | None:
        """The head of the linear decoder, or of the linear model beside another decoder; None if there is neither."""
        if self.linear is not None:
            return self.linear.head
        return self.head if isinstance(self.head, LinearHead) else None

    def _embedding(self, width: int) -> nn.Module:
        """On the decoder, or linear in the encoder's features where the decoder does not run."""
        return nn.Conv2d(width, width, 1) if self.decodes else LinearEmbedding(self.encoder.out_channels)

    def _parts(self, classes: int, *, online: bool) -> tuple[Any, nn.Module, nn.Conv2d | LinearHead, int]:
        """Encoder, decoder and head of the architecture, and the number of channels between decoder and head."""
        config = self.config
        if config.architecture == "dpt":
            encoder = _encoder(config, online=online)
            if not isinstance(encoder, ViTEncoder):
                raise ConfigError(
                    f"{config.encoder} is no vision transformer with one grid of patches",
                    where="model.encoder",
                    fix="take another architecture for it, such as deeplabv3plus, or an encoder such as "
                    "vit_small_patch14_dinov2.lvd142m",
                )
            return encoder, DptDecoder(encoder, config.width), nn.Conv2d(config.width, classes, 1), config.width
        if config.architecture != "linear":
            whole = _assemble(config, classes, online=online)
            width = whole.segmentation_head[0].in_channels
            return whole.encoder, whole.decoder, nn.Conv2d(width, classes, 1), width
        if self.needs & {Head.VARIANCE, Head.EMBEDDING}:
            fix = "use another architecture, or a method without these heads"
            raise ConfigError("the linear decoder has no variance or embedding", where="model.architecture", fix=fix)
        encoder = _encoder(config, online=online)
        channels = encoder.out_channels
        if channels[0] != config.bands or not all(channels[2:6]):  # some encoders return features in place of the image
            raise ConfigError(
                f"{config.encoder} lacks levels of features that the linear decoder works on",
                where="model.encoder",
                accepted="encoders that give feature maps at the strides 4, 8, 16 and 32",
                fix=f"take one of the bundled encoders: {', '.join(sorted(BUNDLED))}",
            )
        levels = Levels(channels, self.mean, self.std)
        return encoder, levels, LinearHead(levels.channels, classes), 0

    def _load_encoder(self) -> None:
        if self.config.weights == "auto":
            state = bundled_state(self.config.encoder)
        else:
            state = _read_weights(Path(self.config.weights))
        if self.top is not None and not self.top.take(state):
            self.top = None  # untrained layers between trained features and a linear model would be noise
        own = self.encoder.model.state_dict()
        # timm's feature extractor renames layers in a sequence: stages.0 of the model becomes stages_0.
        state = {key if key in own else key.replace(".", "_", 1): value for key, value in state.items()}
        state = self._with_bands(state)
        fix = "use weights of this encoder, under timm's names"
        missing = [key for key in own if key not in state]
        if missing:
            raise ConfigError(
                f"{len(missing)} tensors of {self.config.encoder} are not in the weights, {missing[0]} among them",
                where="model.weights",
                fix=fix,
            )
        other = [key for key in own if own[key].shape != state[key].shape]
        if other:
            shapes = f"{tuple(state[other[0]].shape)} instead of {tuple(own[other[0]].shape)}"
            raise ConfigError(
                f"{len(other)} tensors of the weights have another shape: {other[0]} is {shapes}",
                where="model.weights",
                fix=fix,
            )
        self.encoder.model.load_state_dict({key: state[key] for key in own})

    def _with_bands(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights whose first convolution takes the network's bands; those of three bands are left as they are."""
        bands = self.config.bands
        first = getattr(timm.get_pretrained_cfg(self.config.encoder), "first_conv", None) if bands != 3 else None
        for name in (first,) if isinstance(first, str) else first or ():
            key = f"{name}.weight" if f"{name}.weight" in state else f"{name.replace('.', '_', 1)}.weight"
            if key in state and state[key].shape[1:2] == (3,):
                state = {**state, key: adapt_input_conv(bands, state[key])}
        return state

    @classmethod
    def of_weights(cls, config: ModelConfig, classes: int, path: Path, *, field: int | None) -> Network:
        """Build a network from a file of weights, with the heads that the file contains, in evaluation mode.

        Args:
            config: Architecture and encoder.
            classes: C, number of classes.
            path: The safetensors file.
            field: As for the class.

        Raises:
            RunError: The file is damaged, or contains the weights of another network.
            ConfigError: As for the class.
        """
        tensors = read_tensors(path)
        needs = {head for head, name in HEADS.items() if f"{name}.weight" in tensors}
        sub = tensors.get("sub_head.weight")
        subclasses = len(sub) // classes if sub is not None and sub.ndim else 0
        widened = any(name.startswith("top.") for name in tensors)
        network = cls(
            config,
            classes,
            needs=needs,
            subclasses=subclasses,
            linear=begins_linear(tensors),
            pretrained=False,
            field=field,
            widened=widened,
        )
        load_into(network, tensors, path)
        return network.eval()

    def train(self, mode: bool = True) -> Network:
        """Set training mode; frozen batch normalisation stays in evaluation mode."""
        super().train(mode)
        if self.config.freeze_batch_norm:
            for module in (*self.encoder.modules(), *(self.top.modules() if self.top is not None else ())):
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
                    module.requires_grad_(False)
        if self.frozen:
            self.encoder.eval()
        return self

    def forward(self, image: Tensor, valid: Tensor | None = None, scene: Tensor | None = None) -> NetOutput:
        """Logits and the needed heads for a (N, 3, H, W) image whose sides are multiples of `divisor`.

        Args:
            image: The normalised image.
            valid: (N, H, W) bool, the pixels over which tag scores are averaged; None for all.
            scene: As in `Batch`, for the linear model beside the decoder.

        Raises:
            ConfigError: A side is not a multiple of `divisor`.
        """
        size = self._checked(image)
        features = self.encode(image)
        deepest = features[-1]
        decoded = self.decoder(features) if self.decodes else None
        tagged = self.tag_head is not None or self.sub_head is not None
        wide = self.wide(deepest) if tagged else deepest
        pooled = self._pooled(wide, valid) if tagged else deepest
        return NetOutput(
            logits=deepest.new_zeros(len(image), self.head.out_channels, 1, 1)
            if decoded is None
            else self._scores(features, decoded, scene),
            size=size,
            tag_logits=self.tag_head(pooled).flatten(1) if self.tag_head is not None else None,
            tag_maps=self.tag_head(wide) if self.tag_head is not None else None,
            sub_logits=self._sub(pooled) if self.sub_head is not None else None,
            features=deepest if Head.FEATURES in self.needs else None,
            # Softplus keeps the variance positive; the shift makes it start near 0.1 (softplus(-2.25)), a small value.
            variance=F.softplus(self.variance_head(decoded) - 2.25)
            if self.variance_head and decoded is not None
            else None,
            embedding=None
            if self.embedding_head is None
            else self.embedding_head(features if decoded is None else decoded),
        )

    def _scores(self, features: list[Tensor], decoded: Any, scene: Tensor | None) -> Tensor:
        """(N, C, h, w) logits on the grid of the decoder."""
        scores: Tensor = self.head(decoded)
        if self.linear is None:
            return scores
        size = (scores.shape[2], scores.shape[3])
        return scores + F.interpolate(self.linear(features, scene), size=size, mode="bilinear", align_corners=False)

    def scaled(self, image: Tensor) -> Tensor:
        """Resize a normalised (N, B, H, W) image by the factor `ModelConfig.scale`, to sides that `divisor` divides."""
        scale = self.config.factor
        if scale == 1:
            return image
        # Integers only: in an exported network the size of the image is a variable, which it cannot round as a float.
        parts, divisor = round(scale * SCALE_PARTS), self.divisor
        cells = [(2 * parts * (side // divisor) + SCALE_PARTS - 1) // (2 * SCALE_PARTS) for side in image.shape[2:]]
        size = [divisor * (cell + (cell < 1)) for cell in cells]
        # Before the image is reduced, its pixels are averaged, because ONNX has no antialiasing.
        smooth = averaged(image, 2 * round((1 / scale - 1) / 2) + 1) if scale < 1 else image
        return F.interpolate(smooth, size=size, mode="bilinear", align_corners=False)

    def encode(self, image: Tensor) -> list[Tensor]:
        """The scaled image, then the encoder's features, for a normalised (N, B, H, W) image."""
        features: list[Tensor] = self.encoder(self.scaled(image))
        return features

    def tag_maps(self, image: Tensor) -> Tensor:
        """(N, C, h', w') maps as in `NetOutput`, without running the decoder.

        Raises:
            ConfigError: The network has no tag head, or a side is not a multiple of `divisor`.
        """
        self._checked(image)
        if self.tag_head is None:
            raise ConfigError("the network has no tag head", fix="train with a method for tags: cam, rrm or sc-cam")
        maps: Tensor = self.tag_head(self.wide(self.encode(image)[-1]))
        return maps

    def pooled(self, image: Tensor) -> Tensor:
        """(N, F) means of the deepest features over the image, the input of the tag head."""
        self._checked(image)
        return self.wide(self.encode(image)[-1]).mean(dim=(2, 3))

    def wide(self, deepest: Tensor) -> Tensor:
        """The input of the tag head: the deepest features, widened if the encoder has the layers for it."""
        return deepest if self.top is None else self.top(deepest)

    def normalised(self, rgb: Tensor) -> Tensor:
        """(N, B, H, W) bands in [0, 1], normalised for the encoder."""
        view = (1, -1, 1, 1)
        return (rgb - self.mean.to(rgb).view(view)) / self.std.to(rgb).view(view)

    def _checked(self, image: Tensor) -> tuple[int, int]:
        height, width = image.shape[-2:]
        if height % self.divisor or width % self.divisor:
            raise ConfigError(f"the network was given {height}x{width} pixels", accepted=f"multiples of {self.divisor}")
        return height, width

    def _pooled(self, deepest: Tensor, valid: Tensor | None) -> Tensor:
        """(N, F, 1, 1) mean of the deepest features over the cells that are not padding, with dropout in training."""
        if valid is None:
            pooled = F.adaptive_avg_pool2d(deepest, 1)
        else:  # otherwise a crop that is half padding would have half the score
            grid = (deepest.shape[2], deepest.shape[3])
            share = F.adaptive_avg_pool2d(valid[:, None].to(deepest.dtype), grid)
            total = share.sum(dim=(2, 3), keepdim=True).clamp(min=1e-6)
            pooled = (deepest * share).sum(dim=(2, 3), keepdim=True) / total
        # PSA and its successors drop whole channels of the map before the mean, which is the same as dropping the mean.
        return F.dropout(pooled, TAG_DROPOUT, self.training)

    def _sub(self, pooled: Tensor) -> Tensor:
        assert self.sub_head is not None
        scores: Tensor = self.sub_head(pooled.flatten(1))
        return scores.view(len(scores), self.head.out_channels, -1)

    def on(self, batch: Batch, state: Mapping[str, Tensor] | None = None) -> NetOutput:
        """The output for a batch, with the weights of the network or with another state of it."""
        given = (batch.image.contiguous(memory_format=torch.channels_last), batch.valid, batch.scene)
        output: NetOutput = self(*given) if state is None else functional_call(self, dict(state), given)
        return output


def begins_linear(tensors: Collection[str]) -> bool:
    """Whether these names of weights are those of a network with a linear model beside its decoder."""
    return any(name.startswith("linear.") for name in tensors)


def _freeze(encoder: nn.Module, stride: int) -> None:
    """Freeze the layers of an encoder up to the last one of a stride (timm lists modules in order).

    The last layer may have no parameters: for a ResNet at stride 2 it is the activation after the stem.
    """
    info: Any = encoder.feature_info
    layers = [str(item["module"]) for item in info.get_dicts() if item["reduction"] <= stride]
    starts = tuple(f"{name}." for layer in layers for name in (layer, layer.replace(".", "_")))
    modules = list(encoder.named_modules())
    held = [i for i, (name, _) in enumerate(modules) if f"{name}.".startswith(starts)] if starts else []
    for _, module in modules[: held[-1] + 1 if held else 0]:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(False)


def _read_weights(path: Path) -> dict[str, Tensor]:
    accepted = "auto, none or a safetensors file"
    if not path.is_file():
        raise ConfigError(f"no such weights: {path}", where="model.weights", accepted=accepted, fix=nearest_path(path))
    try:
        return read_tensors(path)
    except RunError as error:
        raise ConfigError(f"{error.what}: {path}", where="model.weights", accepted=accepted) from None


def _assemble(config: ModelConfig, classes: int, *, online: bool) -> Any:
    weights = "imagenet" if online else None
    with _named_errors(config):
        return smp.create_model(
            config.architecture,
            encoder_name=f"tu-{config.encoder}",
            encoder_weights=weights,
            classes=classes,
            in_channels=config.bands,
            **_decoder_settings(config),
        )


def _encoder(config: ModelConfig, *, online: bool) -> Any:
    weights = "imagenet" if online else None
    with _named_errors(config):
        if is_vit(config.encoder):
            return ViTEncoder(config.encoder, online=online, bands=config.bands)
        return smp.encoders.get_encoder(f"tu-{config.encoder}", in_channels=config.bands, depth=5, weights=weights)


@contextmanager
def _named_errors(config: ModelConfig) -> Iterator[None]:
    """Turn the various errors of timm and smp about an encoder that is missing or does not fit into one error."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"the weights of {config.encoder} could not be loaded from the hub: {error}",
            where="model.weights",
            fix=f"use a bundled encoder ({', '.join(sorted(BUNDLED))}), a safetensors file, or 'none'",
        ) from None
    except Exception as error:  # timm and smp raise many kinds of errors if an encoder has no feature maps or dilation
        raise ConfigError(
            f"{config.encoder} cannot be the encoder of {config.architecture}: {error}",
            where="model",
            fix="choose an encoder that gives feature maps at strides 2 to 32, or the architecture 'unet' or 'fpn'; "
            "for vision transformers 'dpt'",
        ) from error


def normalisation(encoder: str, bands: int = 3) -> tuple[Tensor, Tensor]:
    """(B,) mean and standard deviation of [0, 1] RGB that the encoder was trained with.

    One band has their means, and of other numbers each band those of the colour whose weights it starts from.
    """
    settings = timm.get_pretrained_cfg(encoder, allow_unregistered=False)
    if settings is None:
        raise ConfigError(f"timm has no information on how {encoder!r} was trained", where="model.encoder")
    mean, std = torch.tensor(settings.mean), torch.tensor(settings.std)
    if bands == 1:
        return mean.mean()[None], std.mean()[None]
    turns = torch.arange(bands) % 3
    return mean[turns], std[turns]
