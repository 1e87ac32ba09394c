/* Colours before the first paint: the only script that blocks it. app.js takes over. */
{
  const given = new URLSearchParams(location.search);
  let stored;
  try {
    stored = JSON.parse(localStorage.getItem("ticker.view") ?? "{}");
  } catch {
    stored = {};
  }
  for (const name of ["theme", "palette"]) {
    const value = given.get(name) ?? stored?.[name];
    if (value) document.documentElement.dataset[name] = value;
  }
}
