/** What `--filter` of jest takes: the tests that start no process and need nothing built. */
module.exports = async (files) => {
  const { needsOf } = await import('./needs.mjs');
  return { filtered: files.filter((file) => needsOf(file).size === 0) };
};
