"""CLIP's text tower gives the vectors that its makers publish, whichever of its published forms it comes in."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from kinelex.errors import CorruptArtifact, UnsupportedFormat
from kinelex.language import ClipText, TextEncoder

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXTS = [
    "walking",
    "a person is sitting down",
    "A Person is doing something unheard of",
    "",
    "a person is walking " * 40,
]
START, END = 7, 8


def reference(folder: Path, text: str) -> tuple[np.ndarray, np.ndarray]:
    """What the library makes of one text without padding: the vectors of its tokens, and that of the text."""
    model = transformers.CLIPTextModelWithProjection.from_pretrained(folder).eval()
    known = {"a": 0, "person": 1, "is": 2, "walking": 3, "running": 4, "sitting": 5, "down": 6}
    ids = [START, *[known.get(word, END) for word in text.lower().split()][:75], END]
    with torch.inference_mode():
        found = model(input_ids=torch.tensor([ids]))
    vector = found.text_embeds[0].double().numpy()
    return found.last_hidden_state[0].numpy(), vector / np.linalg.norm(vector)


def test_sentence_vectors_are_the_projected_end_of_text_at_unit_length(clip_folder: Path) -> None:
    # The texts have no unknown word before their end but the third, whose unknown words are end-of-text tokens too,
    # among which the library takes the first.
    texts = [text for text in TEXTS if "unheard" not in text]
    expected = np.stack([reference(clip_folder, text)[1] for text in texts])
    encoder = ClipText(clip_folder)
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-5)
    assert encoder.dim == 6
    assert isinstance(encoder, TextEncoder)


def test_token_vectors_are_the_last_hidden_states(clip_folder: Path) -> None:
    tokens, mask = ClipText(clip_folder).encode_tokens(TEXTS)
    assert tokens.dtype == np.float32
    for text, vectors, valid in zip(TEXTS, tokens, mask, strict=True):
        np.testing.assert_allclose(vectors[valid], reference(clip_folder, text)[0], atol=1e-5)


def test_a_text_ends_at_77_tokens_and_is_still_ended(clip_folder: Path) -> None:
    tokens, mask = ClipText(clip_folder).encode_tokens([TEXTS[-1], "walking"])
    assert mask.sum(axis=1).tolist() == [77, 3]
    np.testing.assert_allclose(tokens[0], reference(clip_folder, TEXTS[-1])[0], atol=1e-5)


def test_a_token_knows_only_what_stands_before_it(clip_folder: Path) -> None:
    tokens, _ = ClipText(clip_folder).encode_tokens(["a person is walking", "a person is running"])
    np.testing.assert_allclose(tokens[0, :4], tokens[1, :4], atol=1e-6)
    assert np.abs(tokens[0, 5] - tokens[1, 5]).max() > 0.01, "the token that ends the text knows all of it"


def test_a_text_is_the_same_alone_and_among_others(clip_folder: Path) -> None:
    encoder = ClipText(clip_folder)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode(TEXTS), alone, atol=1e-5)
    assert encoder.encode([]).shape == (0, 6)
    assert encoder.encode_tokens([])[0].shape == (0, 0, 16)


def test_of_both_towers_the_texts_is_read_in_silence(both_towers_folder: Path, capfd) -> None:
    encoder = ClipText(both_towers_folder)
    assert capfd.readouterr() == ("", "")
    whole = transformers.CLIPModel.from_pretrained(both_towers_folder).eval()
    with torch.inference_mode():
        ids = torch.tensor([[START, 0, 1, 2, 3, END]])
        found = whole.text_projection(whole.text_model(input_ids=ids).pooler_output)[0].numpy()
    np.testing.assert_allclose(
        encoder.encode(["a person is walking"])[0], found / np.linalg.norm(found), rtol=1e-4, atol=1e-5
    )
    assert encoder.dim == 5, "the length that both towers share"


# Other forms of the files


@pytest.fixture
def copy(clip_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clip_folder, tmp_path / "copy"))


def configure(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def as_pickle(folder: Path) -> Path:
    """Turn the weights into the older kind of file."""
    from safetensors.torch import load_file

    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    return folder


def test_the_number_that_old_configurations_give_for_the_end_of_text_does_not_matter(
    copy: Path, clip_folder: Path
) -> None:
    configure(copy, eos_token_id=2)
    expected = ClipText(clip_folder).encode(["a person is walking", "walking"])
    np.testing.assert_array_equal(ClipText(copy).encode(["a person is walking", "walking"]), expected)
    np.testing.assert_allclose(expected[0], reference(copy, "a person is walking")[1], atol=1e-5)


def test_weights_in_the_older_kind_of_file_are_the_same_weights(copy: Path, clip_folder: Path) -> None:
    old, new = ClipText(as_pickle(copy)), ClipText(clip_folder)
    np.testing.assert_array_equal(old.encode(TEXTS), new.encode(TEXTS))
    assert old.revision != new.revision, "a revision is of a file"


def test_where_both_kinds_of_file_are_the_safe_one_is_read(copy: Path, clip_folder: Path) -> None:
    (copy / "pytorch_model.bin").write_bytes(b"broken")
    assert ClipText(copy).revision == ClipText(clip_folder).revision


class Runs:
    """What an attacker would put into a file of weights."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_nothing_in_the_older_kind_of_file_is_run(copy: Path, tmp_path: Path) -> None:
    trace = tmp_path / "it ran"
    (copy / "model.safetensors").unlink()
    torch.save({"text_projection.weight": Runs(trace)}, copy / "pytorch_model.bin")
    with pytest.raises(CorruptArtifact, match="cannot be read as a text encoder"):
        ClipText(copy)
    (copy / "pytorch_model.bin").write_bytes(pickle.dumps(Runs(trace)))
    with pytest.raises(CorruptArtifact, match="cannot be read as a text encoder"):
        ClipText(copy)
    assert not trace.exists()


def test_half_precision_weights_give_single_precision_vectors(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = copy / "model.safetensors"
    halves = {name: value.half() for name, value in load_file(weights).items()}
    save_file(halves, weights, metadata={"format": "pt"})
    configure(copy, dtype="float16")
    halved = ClipText(copy)
    assert {array.dtype for array in (halved.encode(TEXTS), halved.encode_tokens(TEXTS)[0])} == {np.dtype("float32")}
    save_file({name: value.float() for name, value in halves.items()}, weights, metadata={"format": "pt"})
    configure(copy, dtype="float32")
    np.testing.assert_array_equal(halved.encode(TEXTS), ClipText(copy).encode(TEXTS))


def test_a_tower_without_projection_is_refused_and_not_given_a_random_one(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UnsupportedFormat, match=r"lack 'text_projection\.weight': choose another"):
        ClipText(copy)


def test_a_tokenizer_that_does_not_end_texts_is_refused(copy: Path) -> None:
    path = copy / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"post_processor": None}))
    with pytest.raises(CorruptArtifact, match="does not mark where a text ends"):
        ClipText(copy)
