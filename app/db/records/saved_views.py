"""Saved views: an administrator's named lists, private or shared, stored as a list page's query string."""

from app.db.core import Actor, BadQuery, Row, ValidationFailed, driver_errors, get_collection, get_model, now

COLLECTION = "saved_views"
MAX_NAME = 60  # characters
MAX_QUERY = 8_000  # characters; fits into the longest URL that gunicorn accepts
MAX_VIEWS = 100  # of one administrator and collection


@driver_errors()
def save(actor: Actor, collection: str, name: str, query: str, *, shared: bool = False) -> None:
    """Save a list under a name; replaces the administrator's earlier view of that name.

    `query` is stored unchecked: opening it checks it like any other URL.
    Raises ValidationFailed (name), BadQuery (no such collection, too long, too many).
    """
    get_model(collection)
    name = " ".join(name.split()) if isinstance(name, str) else ""
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise ValidationFailed({"name": f"Give the view a name of at most {MAX_NAME} characters."})
    if not isinstance(query, str) or len(query) > MAX_QUERY:
        raise BadQuery("this list's address is too long to save")
    views = get_collection(COLLECTION)
    others = {"collection": collection, "_id.owner": actor.user_id, "_id.name": {"$ne": name}}
    if views.count_documents(others, limit=MAX_VIEWS) == MAX_VIEWS:
        raise BadQuery(f"there are {MAX_VIEWS} views already; delete one first")
    content = {"collection": collection, "owner_name": actor.username, "query": query, "shared": bool(shared)}
    views.replace_one(_key(actor, collection, name), {**content, "saved_at": now()}, upsert=True)


@driver_errors()
def list_views(actor: Actor, collection: str) -> list[Row]:
    """The administrator's own views of a collection and those shared by others, by name.

    Each is {name, query, shared, own, owner_name}.
    """
    get_model(collection)
    visible = {"collection": collection, "$or": [{"_id.owner": actor.user_id}, {"shared": True}]}
    views = [
        {
            "name": row["_id"]["name"],
            "query": row["query"],
            "shared": row["shared"],
            "own": row["_id"]["owner"] == actor.user_id,
            "owner_name": row["owner_name"],
        }
        for row in get_collection(COLLECTION).find(visible)
    ]
    return sorted(views, key=lambda view: (view["name"].casefold(), not view["own"]))


@driver_errors()
def remove(actor: Actor, collection: str, name: str) -> bool:
    """Delete one of the administrator's own views; returns whether it existed."""
    get_model(collection)
    if not isinstance(name, str):
        raise BadQuery("a view's name is a string")
    return get_collection(COLLECTION).delete_one(_key(actor, collection, name)).deleted_count == 1


def _key(actor: Actor, collection: str, name: str) -> Row:
    """A view's _id keeps its name unique for its owner, without another index."""
    return {"_id": {"owner": actor.user_id, "collection": collection, "name": name}}
