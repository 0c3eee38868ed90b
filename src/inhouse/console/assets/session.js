// Whoever's session is over is led to the sign-in page, and back to this one afterwards.
(() => {
  const look = async () => {
    const answer = await fetch("/session", { redirect: "manual" }).catch(() => null);
    if (answer?.type === "opaqueredirect") location.reload();
  };
  const waiting = setInterval(() => {
    if (!window.socket) return;
    clearInterval(waiting);
    window.socket.on("disconnect", look);
    window.socket.on("connect_error", look);
  }, 100);
})();
