"""Pictures and videos: fetched with care, hashed, and looked for in banks of known hashes."""
