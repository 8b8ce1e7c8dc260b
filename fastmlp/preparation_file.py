"""Fitted transformers as bytes: by skops, which reads them back without running code from them."""

import io
import json
import zipfile
from typing import Any

from fastmlp.extras import need
from fastmlp.preparation import Preparation

_SCHEMA = "schema.json"
_TRUSTED = ["numpy.dtype"]  # beyond what skops trusts of itself; it holds no code
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of the times that ZIP files can hold


def transformer_to_bytes(transformer: Any) -> bytes:
    """Return a transformer as bytes, the same for the same transformer. Raises ImportError without skops."""
    skops = need("skops.io", "tables", "saving a model that was trained on a table")
    return _reproducible(skops.dumps(transformer))


def transformer_from_bytes(content: bytes) -> Any:
    """Return the transformer in what may be anybody's bytes. Raises ValueError where there is none."""
    skops = need("skops.io", "tables", "a model that was trained on a table")
    try:
        _refuse_packed(content)
        unknown = [kind for kind in skops.get_untrusted_types(data=content) if kind not in _TRUSTED]
        if not unknown:
            return skops.loads(content, trusted=_TRUSTED)
    except Exception as error:  # of whatever kind skops, zipfile and NumPy raise of files that nobody wrote
        raise ValueError(f"its preparation cannot be read: {error or type(error).__name__}") from error
    raise ValueError(f"its preparation holds types that are not trusted: {', '.join(unknown)}")


def refuse_unfitting(preparation: Preparation, inputs: int) -> None:
    """Raise ValueError where a preparation does not take the rows that it should, or make so many inputs of them."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MaxAbsScaler

    transformer, columns = preparation.transformer, preparation.columns
    if transformer is None:
        if columns is not None or preparation.stored != inputs:
            raise ValueError(f"{inputs} inputs do not fit rows of {preparation.stored} numbers without a preparation")
        return
    if not isinstance(transformer, ColumnTransformer if columns is not None else Pipeline | MaxAbsScaler):
        raise ValueError(f"its preparation is a {type(transformer).__name__}")
    fitted = preparation.stored if columns is None else list(columns)
    taken = transformer.n_features_in_ if columns is None else list(transformer.feature_names_in_)
    if fitted != taken:
        raise ValueError("its preparation takes other columns than the model says")
    made = len(transformer.get_feature_names_out())
    if made != inputs:
        raise ValueError(f"its preparation makes {made} inputs, the network takes {inputs}")


def _refuse_packed(content: bytes) -> None:
    """Raise ValueError for what unpacks to more than it takes: skops packs nothing."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("it is compressed")


def _reproducible(content: bytes) -> bytes:
    """Return what skops wrote with numbers in place of addresses in memory, and without the time of writing."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files.pop(_SCHEMA))
    numbers: dict[Any, int] = {}
    names: dict[str, str] = {}
    for node in _nodes(schema):
        if "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
        if node.get("file") in files:
            node["file"] = names.setdefault(node["file"], f"{len(names) + 1}.npy")
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, new in names.items():
            archive.writestr(zipfile.ZipInfo(new, _EARLIEST), files[name])
        archive.writestr(zipfile.ZipInfo(_SCHEMA, _EARLIEST), json.dumps(schema))
    return written.getvalue()


def _nodes(schema: Any) -> Any:
    """Yield every mapping in it, in order."""
    if isinstance(schema, dict):
        yield schema
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _nodes(value)
