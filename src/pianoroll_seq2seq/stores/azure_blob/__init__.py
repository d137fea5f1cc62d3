"""A store in a container of Azure Blob storage."""

from pianoroll_seq2seq.stores.azure_blob.store import AzureBlobStore as AzureBlobStore

__all__ = ["AzureBlobStore"]
