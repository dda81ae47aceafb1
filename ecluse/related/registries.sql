-- name: generation
-- How often parameters made at run time have changed. Whoever asks within a transaction is waited for, until it ends, by
-- whoever builds what came later.
SELECT generation FROM fhir.parameter_state;

-- name: load
-- The generation, and all parameters that are not about to go with their own paths, as of one moment.
SELECT s.generation, p.pk, p.site, p.state, p.reason, p.source, p.id, p.code, p.kind, p.url, p.is_unique, p.readings,
    p.done, p.total, own.numbers, own.types, own.evaluated, own.texts
FROM fhir.parameter_state s
LEFT JOIN fhir.parameter p ON p.state <> 'removing'
LEFT JOIN LATERAL (
    SELECT array_agg(number ORDER BY number) AS numbers, array_agg(type ORDER BY number) AS types,
        array_agg(evaluated ORDER BY number) AS evaluated, array_agg(text ORDER BY number) AS texts
    FROM fhir.parameter_path WHERE parameter = p.pk
) own ON true
ORDER BY p.pk;
