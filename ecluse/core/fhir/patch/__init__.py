"""Changes of a resource that are sent instead of the whole of it.

    from ecluse.core.fhir.patch.registry import read

    change = read("application/json-patch+json", body)      # BadRequest (400) with all that is wrong in the patch
    patched = change(resource)                              # Unprocessable (422) names the operation and the place

A change may alter the resource that it is given and returns the new one; acceptance is for the caller.
"""
