"""All that knows MongoDB. The apps call these modules and never import pymongo or mongoengine themselves."""
