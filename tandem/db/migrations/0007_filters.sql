-- Search can be narrowed to documents of some sources, languages and times.

-- ISO 639-1; NULL where it is not sure, and until a document that was indexed before changes.
ALTER TABLE documents ADD COLUMN language text;

-- As before, and among the passages of these documents alone, unless `narrowed` is NULL.
DROP FUNCTION find_lexical_candidates;
CREATE FUNCTION find_lexical_candidates(version int, shared int[], question sparsevec, n int, narrowed bigint[] DEFAULT NULL)
    RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    own_workspace text := viewer_workspace();
    own_audiences text[] := viewer_audiences();
BEGIN
    RETURN QUERY
    SELECT id FROM chunks
    WHERE version_id = version AND term_ids && shared AND own_workspace IS NOT NULL
        AND workspace IN ('*', own_workspace) AND audience = ANY (own_audiences || 'everyone'::text)
        AND (expires_at IS NULL OR expires_at > now())
        AND (narrowed IS NULL OR document_id = ANY (narrowed))
    ORDER BY terms <#> question LIMIT n;
END
$$;
REVOKE ALL ON FUNCTION find_lexical_candidates FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_lexical_candidates TO tandem_reader;
