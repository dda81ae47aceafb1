-- What the text index cannot find again by itself: which index the ledger speaks of, and contents that arrive apart from their documents.
CREATE SCHEMA IF NOT EXISTS search;

-- The index that bus.ledger of the consumer `search` describes. An index of another generation, or behind opstamp, has lost something.
CREATE TABLE search.generation (
    opstamp bigint NOT NULL,
    epoch integer NOT NULL,
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    generation text COLLATE "C" NOT NULL
) WITH (fillfactor = 50);

-- Documents whose content, or a part of it, is in Binary resources: mappers/document/record.py's Document as JSON.
CREATE TABLE search.document (
    person bigint,
    site text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    patient text COLLATE "C",
    content bytea NOT NULL,
    PRIMARY KEY (site, type, id)
);

-- Which documents refer to which Binary, whether it is there or not.
CREATE TABLE search.link (
    site text COLLATE "C" NOT NULL,
    binary_id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (site, binary_id, type, id)
);
CREATE INDEX link_document ON search.link (site, type, id);

-- The text of each Binary, or why it has none: mappers/document/record.py's Part as JSON.
CREATE TABLE search.binary_text (
    person bigint,
    site text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    patient text COLLATE "C",
    content bytea NOT NULL,
    PRIMARY KEY (site, id)
);
