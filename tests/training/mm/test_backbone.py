import pytest
import torch

from dirdet_training.mm.backbone import EfficientNetLite0


def test_it_gives_four_levels_at_strides_4_to_32():
    levels = EfficientNetLite0(pretrained=False)(torch.zeros(1, 3, 64, 96))
    assert [tuple(level.shape) for level in levels] == [
        (1, 24, 16, 24),
        (1, 40, 8, 12),
        (1, 112, 4, 6),
        (1, 320, 2, 3),
    ]


def test_the_imagenet_weights_tell_a_cat():
    """The classifier on top of our features, whose weights come in the same file, knows the picture."""
    from PIL import Image
    from skimage import data

    from dirdet_training.mm.backbone import imagenet_weights

    weights = imagenet_weights()
    picture = Image.fromarray(data.chelsea()).crop((75, 0, 375, 300)).resize((224, 224))
    pixels = torch.tensor(bytearray(picture.tobytes()), dtype=torch.float32).view(1, 224, 224, 3).permute(0, 3, 1, 2)
    backbone = EfficientNetLite0().eval()
    with torch.no_grad():
        features = backbone(pixels / 127.5 - 1)[-1]
        head = torch.nn.functional.conv2d(features, weights["_conv_head.weight"])
        mean, var, scale, shift = (
            weights[f"_bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        normed = torch.nn.functional.batch_norm(head, mean, var, scale, shift, eps=1e-3)
        pooled = normed.clamp(0, 6).mean(dim=(2, 3))
        scores = torch.nn.functional.linear(pooled, weights["_fc.weight"], weights["_fc.bias"]).softmax(dim=1)
    cats = scores[0, 281:286].sum().item()  # ImageNet's five kinds of house cat
    assert cats > 0.6


@pytest.mark.parametrize("frozen_stages", [0, 2, 3])
def test_frozen_stages_and_batchnorm_do_not_learn(frozen_stages):
    backbone = EfficientNetLite0(frozen_stages=frozen_stages, pretrained=False).train()
    learning = {name for name, weight in backbone.named_parameters() if weight.requires_grad}
    assert not any(name.startswith("net.conv_stem") for name in learning)
    for stage in range(7):
        assert any(name.startswith(f"net.blocks.{stage}.") for name in learning) == (stage >= frozen_stages)
    assert not any(module.training for module in backbone.modules() if isinstance(module, torch.nn.BatchNorm2d))
