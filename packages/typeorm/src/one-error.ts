import { type ConfigProblem, configError, isLakebaseError } from "@x/lakebase-core";

/** What `make` answers; or one error with its problems and those that were found before. */
export function inOneError<T>(problems: readonly ConfigProblem[], make: () => T, name = (option: string) => option): T {
  let answer: T;
  try {
    answer = make();
  } catch (error) {
    if (!isLakebaseError(error) || !error.problems) throw error;
    const all = [...problems, ...error.problems.map((problem) => ({ ...problem, option: name(problem.option) }))];
    throw configError(all, problems.length === 0 ? error.code : undefined);
  }
  if (problems.length > 0) throw configError(problems);
  return answer;
}
