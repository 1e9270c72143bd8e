"""Spoils files: at random, but the same way for the same seed, and in ways that files are known to go wrong."""

import copy
import random

import yaml

TOKENS = (
    *(b"NaN", b"1e999", b"-1", b"1e-400", b"Infinity", b"NA", b"null", b"true", b"[" * 5000, b"9" * 5000),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\r\n", b"\n\n", b'"', b"'", b",", b";", b"\t", b"{", b"}", b":", b"-"),
    *(b"x" * 200_000, b"=1+1", b"<html>", b"version https://git-lfs.github.com/spec/v1\n", "λ".encode(), b"\xe2\x80"),
)


def mutate(good, rng):
    """Change a file's bytes in one to three places."""
    content = bytearray(good)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.choice((1, 2, 8, 64)))
        match rng.randrange(8):
            case 0 if content:
                content[min(at, len(content) - 1)] ^= 1 << rng.randrange(8)
            case 1:
                content[at:at] = rng.choice(TOKENS)
            case 2:
                content[at:end] = rng.choice(TOKENS)
            case 3:
                content[at:end] = b""
            case 4:
                content[at:at] = content[at:end]
            case 5:
                del content[at:]
            case 6:
                content[at:end] = rng.randbytes(end - at)
            case _:
                lines = bytes(content).split(b"\n")
                rng.shuffle(lines)
                content = bytearray(b"\n".join(lines))
    return bytes(content)


VALUES = (
    *(None, True, False, 0, -1, 1, 3, 10**30, -0.5, 1.5, 1e-300, 1e999, float("nan")),
    *("", " ", "NaN", "null", "λ", "-1", "x" * 1000, "=1+1", "../..", "/", "\0", "a: b", "auto", "mine.csv"),
    *("hml", "hml.labels", "hml.labels.SeparateLabels", "torch.nn.Linear", "os.system"),
    *([], {}, [1, 2], [None], [[]], {"": 1}, {1: 2}, {"lr": 0.1}, {"class_path": 3}, {"init_args": {}}),
    *({"class_path": "hml.labels.Mixup"}, {"class_path": "torch.nn.ReLU", "init_args": None}),
)


def mutate_config(good, rng):
    """Change a config in one to three places, so that it still is YAML."""
    config = yaml.safe_load(good)
    for _ in range(rng.randint(1, 3)):
        mappings = [config]
        for mapping in mappings:  # which grows meanwhile
            mappings += [value for value in mapping.values() if isinstance(value, dict)]
        mapping = rng.choice([mapping for mapping in mappings if mapping] or [config])
        key = rng.choice(list(mapping) or ["scheme"])
        match rng.randrange(6):
            case 0:
                mapping.pop(key, None)
            case 1:
                mapping[str(key) + rng.choice(("s", ".", " ", "", "é"))] = mapping.pop(key, None)
            case 2:  # put it where it doesn't belong
                rng.choice(mappings)[key] = copy.deepcopy(mapping.get(key))
            case _:
                mapping[key] = copy.deepcopy(rng.choice(VALUES))
    return yaml.safe_dump(config, allow_unicode=True).encode()


def mutations(good, number, seed=0):
    """Yield a file, then ways in which it may be spoilt: wholly, cut off at 20 places, and at random."""
    yield good
    yield from (b"", b"<!doctype html><html>404</html>", b"version https://git-lfs.github.com/spec/v1\n", good + good)
    yield from (good[: len(good) * part // 20] for part in range(20))
    yield from (good.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + good, good.decode("latin-1").encode("utf-16"))
    rng = random.Random(seed)
    for _ in range(number):
        yield mutate(good, rng)
