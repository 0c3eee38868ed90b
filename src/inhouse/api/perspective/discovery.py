"""The description by which Google's own client libraries find the two calls.

discovery.build("commentanalyzer", "v1alpha1", developerKey="inh_…", static_discovery=False,
                discoveryServiceUrl="http://127.0.0.1:8700/$discovery/rest?version=v1alpha1")
"""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from inhouse.api.perspective.comments import ANALYZE, SUGGEST
from inhouse.api.wire import answer

router = APIRouter(tags=["others' formats"])
PATH: Final = "/$discovery/rest"
_VERSION: Final = "v1alpha1"


@router.get(PATH)
async def describe(request: Request) -> Response:
    """Describe Perspective's calls to Google's client libraries. Needs no key."""
    return answer(_document(str(request.base_url)))


def _document(root: str) -> dict[str, Any]:
    methods = {"analyze": ANALYZE, "suggestscore": SUGGEST}
    bodies = {"analyze": "AnalyzeComment", "suggestscore": "SuggestCommentScore"}
    names = [f"{body}{part}" for body in bodies.values() for part in ("Request", "Response")]
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"commentanalyzer:{_VERSION}",
        "name": "commentanalyzer",
        "version": _VERSION,
        "title": "Perspective's calls, answered by inhouse",
        "protocol": "rest",
        "rootUrl": root,
        "servicePath": "",
        "baseUrl": root,
        "batchPath": "batch",
        "parameters": {
            "key": {"type": "string", "location": "query", "description": "an API key, inh_…"}
        },
        "schemas": {name: {"id": name, "type": "object"} for name in names},
        "resources": {
            "comments": {
                "methods": {
                    name: {
                        "id": f"commentanalyzer.comments.{name}",
                        "path": path.removeprefix("/"),
                        "httpMethod": "POST",
                        "parameters": {},
                        "parameterOrder": [],
                        "request": {"$ref": f"{bodies[name]}Request"},
                        "response": {"$ref": f"{bodies[name]}Response"},
                    }
                    for name, path in methods.items()
                }
            }
        },
    }
