"""Datasets of the Hugging Face hub, as the Parquet files that the hub makes of every public dataset."""

from __future__ import annotations

from pathlib import Path

from promptlab.nouns import DataMissing
from promptlab.sources.tables import SIZE_LIMIT

PARQUET_BRANCH = "refs/convert/parquet"


def dataset_files(name: str, config: str, split: str, revision: str | None = None, endpoint: str | None = None) -> tuple[list[Path], str]:
    """The local copies of a split's Parquet files, downloaded once into the hub's own cache, and the commit they come from.

    `revision` is a commit of the dataset's Parquet branch (None: its newest). DataMissing says what is not there, what is
    there instead, or that the hub cannot be reached; a private dataset needs the variable HF_TOKEN.
    """
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    api = HfApi(endpoint=endpoint, library_name="promptlab")
    where = f"the dataset {name!r}"
    try:
        info = api.dataset_info(name, revision=revision or PARQUET_BRANCH, files_metadata=True)
        parts = {s.rfilename: s.size or 0 for s in info.siblings or () if s.rfilename.endswith(".parquet")}
        splits = sorted({tuple(path.split("/")[:2]) for path in parts if path.count("/") >= 2})
        wanted = sorted(path for path in parts if path.startswith(f"{config}/{split}/"))
        if not wanted:
            has = ", ".join(f"config: {c}, split: {s}" for c, s in splits[:12]) or "no Parquet files"
            raise DataMissing(f"{where} has no split {split!r} in the configuration {config!r}; it has {has}")
        size = sum(parts[path] for path in wanted)
        if size > SIZE_LIMIT:
            raise DataMissing(
                f"{where}: the split has {size:,} bytes; at most {SIZE_LIMIT // 2**20} MB are read. Save a part of it as Parquet"
            )
        found = [Path(api.hf_hub_download(name, path, repo_type="dataset", revision=info.sha)) for path in wanted]
    except OfflineModeIsEnabled:
        raise DataMissing(f"{where} cannot be fetched: HF_HUB_OFFLINE is set; unset it, or save the dataset as Parquet") from None
    except HFValidationError as error:
        raise DataMissing(f"{where}: {error}; write hf:owner/name") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        raise DataMissing(
            f"{where} cannot be fetched: the hub answered {status}. Check the name and the revision; a private or gated dataset needs "
            "the variable HF_TOKEN"
        ) from None
    except (httpx.HTTPError, OSError) as error:
        raise DataMissing(
            f"{where} cannot be fetched: {type(error).__name__}. Without a connection, save it as Parquet and name that"
        ) from None
    return found, str(info.sha)
