-- How long requests and the stages of events took, in buckets that every process of an installation adds to.
CREATE TABLE bus.duration (
    upper_s double precision NOT NULL,
    total_s double precision NOT NULL,
    found bigint NOT NULL,
    measure text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    detail text COLLATE "C" NOT NULL,
    PRIMARY KEY (measure, subject, detail, upper_s)
) WITH (fillfactor = 50);
