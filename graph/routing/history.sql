-- name: find_nearest
-- why: questions that were asked where no more could be seen than here, with the rates over all of them; what another
-- adapter said from memory tells nothing about this one.
WITH visible AS (
    SELECT -(embedding <#> %(embedding)s::real[]::halfvec(384)) AS nearness, grounded_right,
        CASE WHEN adapter IS NOT DISTINCT FROM %(adapter)s THEN direct_right END AS direct_right
    FROM graded_questions
    WHERE graded_by <> 'nothing' AND workspace = %(workspace)s AND audiences <@ %(audiences)s::text[]
)
SELECT *, avg(direct_right) OVER () AS mean_direct, avg(grounded_right) OVER () AS mean_grounded
FROM visible ORDER BY nearness DESC LIMIT %(nearest)s;
