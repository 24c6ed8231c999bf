-- The candidates by meaning have functions of their own, as those by words have: the statement around them then needs no
-- plan that depends on its parameters, and is planned once a connection and not for every question.
-- They run as their caller, so row-level security binds them. What stands in EXECUTE is planned each time: how best to look
-- among some documents' passages depends on how many they are.

-- The index goes on looking until it has enough passages that the viewer may see; `hnsw.ef_search` takes 1,000 at most.
-- Sorting is not for sale: a plan that is made once knows neither the question nor how few passages are wanted, and would
-- compare all of them.
CREATE FUNCTION find_nearest_by_index(version int, question halfvec, n int, narrowed bigint[])
    RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE ROWS 100 SET search_path FROM CURRENT SET enable_sort = off AS $$
BEGIN
    PERFORM set_config('hnsw.ef_search', least(2 * n, 1000)::text, true),
        set_config('hnsw.iterative_scan', 'relaxed_order', true);
    IF narrowed IS NULL THEN
        RETURN QUERY SELECT id FROM chunks WHERE version_id = version ORDER BY embedding <=> question LIMIT n;
    ELSE
        RETURN QUERY EXECUTE
            'SELECT id FROM chunks WHERE version_id = $1 AND document_id = ANY ($4) ORDER BY embedding <=> $2 LIMIT $3'
            USING version, question, n, narrowed;
    END IF;
END
$$;

-- The inner product keeps the index out; it gives the same order, as vectors have length 1.
CREATE FUNCTION find_nearest_by_comparison(version int, question halfvec, n int, narrowed bigint[])
    RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE ROWS 100 SET search_path FROM CURRENT AS $$
BEGIN
    IF narrowed IS NULL THEN
        RETURN QUERY SELECT id FROM chunks WHERE version_id = version ORDER BY embedding <#> question LIMIT n;
    ELSE
        RETURN QUERY EXECUTE
            'SELECT id FROM chunks WHERE version_id = $1 AND document_id = ANY ($4) ORDER BY embedding <#> $2 LIMIT $3'
            USING version, question, n, narrowed;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION find_nearest_by_index, find_nearest_by_comparison FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_nearest_by_index, find_nearest_by_comparison TO tandem_reader;
