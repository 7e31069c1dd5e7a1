// Pictures of panels side by side cannot be read at a phone's width: site.css lets them scroll.
window.addEventListener("load", () => {
  for (const image of document.querySelectorAll(".bd-article :not(.sphx-glr-thumbcontainer) > img")) {
    image.classList.toggle("wide", image.naturalWidth > 1.7 * image.naturalHeight);
  }
});
