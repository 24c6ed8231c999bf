-- The candidates by meaning have functions of their own, as those by words have: the statement around them then needs no
-- plan that depends on its parameters, and is planned once a connection and not for every question.
-- They run as their caller, so row-level security binds them. What stands in EXECUTE is planned each time: how best to look
-- among some documents' passages depends on how many they are.

-- The index looks at `breadth` passages at once (1,000 at most), and goes on until it has enough that the viewer may see.
-- Sorting is not for sale: a plan that is made once knows neither the question nor how few passages are wanted, and would
-- compare all of them.
CREATE FUNCTION find_nearest_by_index(version int, question halfvec, n int, narrowed bigint[], breadth int)
    RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE ROWS 100 SET search_path FROM CURRENT SET enable_sort = off AS $$
BEGIN
    PERFORM set_config('hnsw.ef_search', least(breadth, 1000)::text, true),
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

-- The inner product keeps the vectors' index out; it gives the same order, as vectors have length 1. What the policy asks of
-- a row stands here once more, in a form that the index by audience serves: who sees little of much then reads little.
CREATE FUNCTION find_nearest_by_comparison(version int, question halfvec, n int, narrowed bigint[])
    RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE ROWS 100 SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY EXECUTE
        'SELECT id FROM chunks WHERE version_id = $1 AND ($4 IS NULL OR document_id = ANY ($4))
            AND workspace = ANY ($5) AND audience = ANY ($6)
        ORDER BY embedding <#> $2 LIMIT $3'
        USING version, question, n, narrowed, ARRAY['*', viewer_workspace()], viewer_audiences() || 'everyone'::text;
END
$$;

-- Whether the viewer may see at least half of a version's passages. With its owner's rights, which see all of them: that one
-- bit is all that it tells, and without a viewer not even that.
CREATE FUNCTION sees_most_of(version int) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT viewer_workspace() IS NOT NULL AND coalesce(2 * sum(chunks) FILTER (
        WHERE workspace IN ('*', viewer_workspace()) AND audience = ANY (viewer_audiences() || 'everyone'::text)
    ) >= sum(chunks), false)
    FROM index_sizes WHERE version_id = version
$$;

REVOKE ALL ON FUNCTION find_nearest_by_index, find_nearest_by_comparison, sees_most_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_nearest_by_index, find_nearest_by_comparison, sees_most_of TO tandem_reader;
