// A picture from the camera: shown live in a dialog, taken as a JPEG at the camera's own size.

import { byId } from "./dom.js";

const WHY = {
  NotAllowedError: "The browser was not allowed to use the camera.",
  NotFoundError: "There is no camera.",
  NotReadableError: "Another program uses the camera.",
};

/** take(files) is given the picture. */
export function openCamera(take) {
  const button = byId("camera");
  if (!navigator.mediaDevices?.getUserMedia) {
    askTheTelephone(button);
    return;
  }
  const dialog = byId("camera-dialog");
  const video = byId("video");
  const says = byId("camera-says");
  let facing = "environment";

  function stop() {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  }

  async function start() {
    stop();
    byId("shoot").disabled = true;
    says.textContent = "Waiting for the camera …";
    try {
      const size = { width: { ideal: 1920 }, height: { ideal: 1080 } };
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, ...size } });
      if (!dialog.open) {
        for (const track of stream.getTracks()) track.stop(); // closed while the browser asked
        return;
      }
      video.srcObject = stream;
      await video.play();
      says.textContent = "";
      byId("shoot").disabled = false;
    } catch (error) {
      says.textContent = WHY[error.name] ?? `The camera cannot be used: ${error.message}`;
    }
  }

  button.addEventListener("click", () => {
    dialog.showModal();
    start();
  });
  dialog.addEventListener("close", stop);
  byId("turn").addEventListener("click", () => {
    facing = facing === "environment" ? "user" : "environment";
    start();
  });
  byId("shoot").addEventListener("click", async () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    dialog.close();
    const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
    take([new File([blob], `camera ${time}.jpg`, { type: "image/jpeg" })]);
  });
}

// Without TLS a browser gives no live camera, but a telephone still takes a picture for a file field.
function askTheTelephone(button) {
  if (!matchMedia("(pointer: coarse)").matches) {
    button.hidden = true;
    return;
  }
  button.addEventListener("click", () => {
    const input = byId("file");
    input.setAttribute("capture", "environment");
    input.click();
    input.removeAttribute("capture");
  });
}
